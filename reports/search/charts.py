"""A search's drawings; as in `shared.charts`, here is where things lie, and the template draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from reports.search import axes
from reports.search.record import Axis, Search, Trial, Value
from reports.shared import ticks
from reports.shared.charts import Box
from reports.shared.markup import draw

_TOP: Final = 40
_HEIGHT: Final = 300
_STEP: Final = 170
_SIDE: Final = 76
_RIM: Final = 26
"""Below a plot's lowest value lies the row of trials without a result, so far."""
_FAINT: Final = 20
"""How strong the worst trial's line is, of 100."""
_NAME: Final = 22
_CHOICE: Final = 16
"""Characters of a name that there is room for."""
NO_RESULT: Final = "no result"


def coordinates(search: Search) -> Markup:
    """Parallel coordinates: an axis per hyperparameter and one for the objective, a line per trial.

    The better a trial, the stronger its line; the best is drawn last, in its own colour. A trial that
    failed or was stopped without a result ends in a mark below the objective's axis.
    """
    ranked, shown = search.ranked, [*search.axes, _goal(search)]
    rest = sorted((trial for trial in search.trials if _lost(trial)), key=lambda trial: trial.failed)
    drawn = [_line(search, trial, _FAINT, shown) for trial in rest]
    for rank in range(len(ranked) - 1, -1, -1):
        strength = 100 if len(ranked) == 1 else round(100 - (100 - _FAINT) * rank / (len(ranked) - 1))
        drawn.append(_line(search, ranked[rank], strength, shown))
    if drawn and ranked:
        drawn[-1]["style"] += " first"
    x = [_SIDE + place * _STEP for place in range(len(shown))]
    return draw(
        "search/charts.coordinates",
        f"Parallel coordinates of {len(drawn)} trials",
        x[-1] + _SIDE,
        {"top": _TOP, "height": _HEIGHT, "rim": _RIM},
        drawn,
        [_axis(axis, place, last=axis is shown[-1]) for axis, place in zip(shown, x, strict=True)],
        (x[-1], _TOP + _HEIGHT + _RIM, NO_RESULT) if rest else None,
    )


def _line(search: Search, trial: Trial, strength: int, shown: Sequence[Axis]) -> dict[str, Any]:
    values = [*(trial.values.get(axis.name) for axis in search.axes), trial.objective]
    points = [
        (_SIDE + place * _STEP, _y(axis, value))
        for place, (axis, value) in enumerate(zip(shown, values, strict=True))
        if value is not None and (trial.measured or axis is not shown[-1])
    ]
    end = None
    if _lost(trial):
        end = (_SIDE + (len(shown) - 1) * _STEP, float(_TOP + _HEIGHT + _RIM))
        points.append(end)
    return {
        "style": f"trial {style_of(trial)}".strip(),
        "strength": strength,
        "points": points,
        "end": end,
        "says": _in_words(search, trial),
    }


def progress(search: Search) -> Markup:
    """The objective of each trial in the order they were started, and the best so far."""
    measured = [(number, trial) for number, trial in enumerate(search.trials, 1) if trial.measured]
    lost = [(number, trial) for number, trial in enumerate(search.trials, 1) if _lost(trial)]
    box = Box(width=560, height=260 + _RIM, left=62, right=20, bottom=34 + _RIM)
    low, high = _spread([trial.objective or 0.0 for _, trial in measured])
    last = max(len(search.trials), 2)

    def x(number: float) -> float:
        return box.x((number - 1) / (last - 1))

    def y(value: float) -> float:
        return box.y((high - value) / (high - low))

    best: list[tuple[float, float]] = []
    so_far: float | None = None
    for number, trial in measured:
        value = trial.objective or 0.0
        if so_far is not None:
            best.append((x(number), y(so_far)))
            value = max(so_far, value) if search.maximize else min(so_far, value)
        so_far = value
        best.append((x(number), y(so_far)))
    rim = box.y(1) + _RIM
    spots = [(x(number), y(trial.objective or 0.0), trial) for number, trial in measured]
    spots += [(x(number), rim, trial) for number, trial in lost]
    return draw(
        "search/charts.progress",
        f"{search.metric} by trial",
        box,
        [(y(tick), ticks.text(tick)) for tick in ticks.within(low, high, parts=4)],
        [(x(number), round(number)) for number in _numbers(last)],
        best,
        [(across, up, style_of(trial), _in_words(search, trial)) for across, up, trial in spots],
        (rim, NO_RESULT) if lost else None,
    )


def bars(shares: Mapping[str, float]) -> Markup:
    """Importances as bars with their percentages, the largest first."""
    return draw("search/charts.bars", sorted(shares.items(), key=lambda item: -item[1]))


def _numbers(last: int) -> list[float]:
    """Of the trials that an axis names: the first, and round ones."""
    return [1.0, *(tick for tick in ticks.within(1, last, whole=True) if tick > 1)]


def _lost(trial: Trial) -> bool:
    """Whether it ended without a result that counts."""
    return trial.failed or (trial.stopped and not trial.measured)


def style_of(trial: Trial) -> str:
    """The CSS class of how it ended; empty where that is as usual."""
    return "failed" if trial.failed else "stopped" if trial.stopped else ""


def _in_words(search: Search, trial: Trial) -> str:
    """A trial in one line: what came of it, and its values."""
    values = ", ".join(f"{name} {value_text(value)}" for name, value in trial.values.items())
    told = [f"{search.metric} {number_text(trial.objective)}"] if trial.objective is not None else []
    told += [ending(trial)] if trial.status != "Completed" else []
    return f"{trial.name}: {', '.join(told)} ({values})"


def ending(trial: Trial) -> str:
    """How a trial ended, and why as far as that is known."""
    return f"{trial.status}: {trial.reason}" if trial.reason else trial.status


def number_text(value: float) -> str:
    """Four digits at most, large and small numbers by their power of ten."""
    return f"{value:.4g}"


def value_text(value: Value) -> str:
    """A hyperparameter's value; whoever repeats a trial finds all its digits in its job."""
    return value if isinstance(value, str) else f"{value:.3g}" if abs(value) < 1000 else number_text(value)


def _goal(search: Search) -> Axis:
    low, high = _spread([trial.objective or 0.0 for trial in search.ranked])
    return Axis(search.metric, low, high)


def _spread(values: Sequence[float]) -> tuple[float, float]:
    """From the least to the most, with some room where they are one."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = (high - low) * 0.05 or max(abs(low) * 0.05, 1e-6)
    return low - room, high + room


def _y(axis: Axis, value: Value) -> float:
    return _TOP + (1 - axes.share(axis, value)) * _HEIGHT


def _axis(axis: Axis, x: float, *, last: bool) -> dict[str, Any]:
    """An axis's name and ticks; drawn over the lines, beside the axis, of the last one outside."""
    side, anchor, out = (10, "start", 5) if last else (-10, "end", -5)
    return {
        "name": _short(axis.name, _NAME),
        "whole": axis.name,
        "x": x,
        "out": x + out,
        "side": x + side,
        "anchor": anchor,
        "ticks": [(_y(axis, value), _short(text, _CHOICE)) for value, text in axes.named(axis)],
    }


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"
