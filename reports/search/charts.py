"""A search's drawings; as in `shared.charts`, here is where things lie, and the template draws them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from reports.search.importance import logarithmic
from reports.search.record import Axis, Search, Trial
from reports.shared.charts import Box
from reports.shared.markup import draw

_TOP: Final = 40
_HEIGHT: Final = 320
_STEP: Final = 150
_SIDE: Final = 70


def coordinates(search: Search) -> Markup:
    """Parallel coordinates: an axis per hyperparameter and one for the objective, a line per trial.

    The better a trial, the stronger its line; the best is drawn last, in its own colour.
    """
    ranked, axes = search.ranked, [*search.axes, _goal(search)]
    lines = []
    for rank in range(len(ranked) - 1, -1, -1):
        trial = ranked[rank]
        values = [*(trial.values.get(axis.name) for axis in search.axes), trial.objective]
        points = [
            (_SIDE + place * _STEP, _y(axis, value))
            for place, (axis, value) in enumerate(zip(axes, values, strict=True))
            if value is not None
        ]
        lines.append(
            {
                "style": "trial first" if rank == 0 else "trial",
                "strength": 100 if len(ranked) == 1 else round(100 - 85 * rank / (len(ranked) - 1)),
                "points": points,
                "says": _in_words(search, trial),
            }
        )
    return draw(
        "search/charts.coordinates",
        f"Parallel coordinates of {len(ranked)} trials",
        2 * _SIDE + _STEP * len(search.axes),
        {"top": _TOP, "height": _HEIGHT},
        [_SIDE + place * _STEP for place in range(len(axes))],
        lines,
        [
            _labels(axis, _SIDE + place * _STEP, last=place == len(axes) - 1)
            for place, axis in enumerate(axes)
        ],
    )


def progress(search: Search) -> Markup:
    """The objective of each trial in the order they were started, and the best so far."""
    measured = [(number, trial) for number, trial in enumerate(search.trials, 1) if trial.measured]
    box = Box(width=560, left=62, right=20)
    low, high = _spread([trial.objective or 0.0 for _, trial in measured])
    last = max(len(search.trials), 2)

    def x(number: int) -> float:
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
    return draw(
        "search/charts.progress",
        f"{search.metric} by trial",
        box,
        [(y(value), number_text(value)) for value in (low, (low + high) / 2, high)],
        [(x(number), number) for number in sorted({1, (last + 1) // 2, last})],
        best,
        [(x(number), y(trial.objective or 0.0), _in_words(search, trial)) for number, trial in measured],
    )


def bars(shares: Mapping[str, float]) -> Markup:
    """Importances as bars with their percentages, the largest first."""
    return draw("search/charts.bars", sorted(shares.items(), key=lambda item: -item[1]))


def _in_words(search: Search, trial: Trial) -> str:
    """A trial in one line: its objective and its values."""
    values = ", ".join(f"{name} {value_text(value)}" for name, value in trial.values.items())
    result = number_text(trial.objective) if trial.objective is not None else trial.status
    return f"{trial.name}: {search.metric} {result} ({values})"


def number_text(value: float) -> str:
    """Four digits at most, large and small numbers by their power of ten."""
    return f"{value:.4g}"


def value_text(value: float | str) -> str:
    """A hyperparameter's value."""
    return value if isinstance(value, str) else number_text(value)


def _goal(search: Search) -> Axis:
    low, high = _spread([trial.objective or 0.0 for trial in search.ranked])
    return Axis(search.metric, low, high)


def _spread(values: Sequence[float]) -> tuple[float, float]:
    """From the least to the most, with some room where they are one."""
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    room = (high - low) * 0.05 or max(abs(low) * 0.05, 1e-6)
    return low - room, high + room


def _share(axis: Axis, value: float | str) -> float:
    """Where on its axis a value lies, 0 at the bottom, 1 at the top."""
    if axis.choices:
        position = axis.choices.index(str(value)) if value in axis.choices else 0
        return (position + 0.5) / len(axis.choices)
    number, low, high = float(value), axis.low, axis.high
    if logarithmic(axis):
        number, low, high = math.log(number), math.log(low), math.log(high)
    elif axis.scale == "ReverseLogarithmic":
        number, low, high = -math.log(1 - number), -math.log(1 - low), -math.log(1 - high)
    return 0.5 if high == low else min(1.0, max(0.0, (number - low) / (high - low)))


def _y(axis: Axis, value: float | str) -> float:
    return _TOP + (1 - _share(axis, value)) * _HEIGHT


def _labels(axis: Axis, x: float, *, last: bool) -> dict[str, Any]:
    """An axis's name and ends; drawn over the lines, beside the axis, of the last one outside."""
    ends: list[tuple[float, str]]
    if axis.choices:
        ends = [(_y(axis, choice), choice) for choice in axis.choices]
    else:
        ends = [(_TOP + _HEIGHT, number_text(axis.low)), (_TOP, number_text(axis.high))]
        if logarithmic(axis):
            middle = math.sqrt(axis.low * axis.high)
            ends.append((_y(axis, middle), number_text(middle)))
    side, anchor = (8, "start") if last else (-8, "end")
    return {"name": axis.name, "x": x, "side": x + side, "anchor": anchor, "ends": ends}
