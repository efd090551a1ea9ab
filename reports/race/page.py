"""A race's page: how accurate each network's features are, and what answering with it takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Final

from markupsafe import Markup

from contract.race import Entrant, Race, pareto
from reports.shared.charts import Box
from reports.shared.figures import dollars, duration, interval
from reports.shared.markup import NOTHING, draw
from reports.shared.page import document
from reports.shared.ticks import logarithmic, text

_BOX: Final = Box(width=520, height=340, left=48, right=20, top=20, bottom=40)
_CHARACTER: Final = 7.7
"""Pixels that a character of a name takes at most, which is on a phone."""
_TICKS: Final = 10


def render(run: str, race: Race) -> str:
    """The page as HTML."""
    judged = [each for each in race.entrants if each.accuracy is not None]
    out = [each for each in race.entrants if each.accuracy is None]
    sections = [
        draw("shared/page.header", "Race of networks", run, _verdict(race)),
        draw("shared/page.tiles", _figures(race)),
        *_charts(race, judged),
        draw("race/page.table", [_row(each, race) for each in _in_order(race, judged)], race.machine),
        draw("race/page.left_out", [(each.network, each.left_out) for each in out]) if out else NOTHING,
        draw("race/page.how", race.pictures, race.machine),
    ]
    return document(f"Race {run}", sections, "race")


def _verdict(race: Race) -> str:
    if not race.ranked:
        return "No network is within the bounds. The table says what each takes."
    first, *others = race.ranked
    said = (
        f"{first.network} won: a linear head on its features is right for {_share(first.accuracy)} "
        "of pictures it was not fitted to."
    )
    if not others:
        return said
    second = others[0]
    behind = 100 * ((first.accuracy or 0.0) - (second.accuracy or 0.0))
    if behind < 0:
        return f"{said} {second.network} is {-behind:.1f} points ahead, which may be chance, and slower."
    close = ", which may be chance" if _room(first, race) > behind else ""
    return f"{said} {second.network} is {behind:.1f} points behind{close}."


def _room(each: Entrant, race: Race) -> float:
    """Half the width of the 95% interval of an accuracy, in points."""
    low, high = interval(each.accuracy or 0.0, race.pictures)
    return 100 * (high - low) / 2


def _figures(race: Race) -> list[tuple[str, str, str]]:
    bounds = [f"{race.bounds.max_ms:g} ms" if race.bounds.max_ms is not None else ""]
    bounds += [f"{race.bounds.max_mb:g} MB" if race.bounds.max_mb is not None else ""]
    judged = sum(each.accuracy is not None for each in race.entrants)
    return [
        (
            "Accuracy",
            _share(race.ranked[0].accuracy) if race.ranked else "none",
            "of the winner's linear head",
        ),
        (
            "Judged",
            f"{judged} of {len(race.entrants)}",
            f"by {race.pictures:,} pictures, {race.classes} classes",
        ),
        ("Bounds", " and ".join(filter(None, bounds)) or "none", "of the winner"),
        ("Time", duration(sum(each.seconds for each in race.entrants)), "all networks together"),
    ]


def _charts(race: Race, judged: Sequence[Entrant]) -> list[Markup]:
    """Accuracy over what it takes: milliseconds, megabytes, dollars; each where it is known."""
    measures: tuple[tuple[str, str, Callable[[Entrant], float | None], float | None], ...] = (
        ("milliseconds", "one picture on one core", lambda each: each.ms, race.bounds.max_ms),
        ("megabytes", "of the serving form", lambda each: each.mb, race.bounds.max_mb),
        ("dollars", "a million pictures, an instance always busy", lambda each: each.usd_per_million, None),
    )
    drawn = [
        (title, note, _chart(race, judged, title, value, most))
        for title, note, value, most in measures
        if sum(value(each) is not None for each in judged) > 1
    ]
    return [draw("race/page.charts", drawn)] if drawn else []


def _chart(
    race: Race,
    judged: Sequence[Entrant],
    title: str,
    value: Callable[[Entrant], float | None],
    most: float | None,
) -> Markup:
    shown = [each for each in judged if value(each) is not None]
    places = [value(each) or 0.0 for each in shown]
    low, high = math.log(min(places) * 0.8), math.log(max(places) * 1.25)

    def x(place: float) -> float:
        return _BOX.left + (math.log(place) - low) / (high - low) * (_BOX.width - _BOX.left - _BOX.right)

    accuracies = [each.accuracy or 0.0 for each in shown]
    bottom, top = max(0.0, min(accuracies) - 0.05), min(1.0, max(accuracies) + 0.05)

    def y(accuracy: float) -> float:
        inside = _BOX.height - _BOX.top - _BOX.bottom
        return _BOX.top + (top - accuracy) / (top - bottom) * inside

    front = pareto(shown, lambda each: value(each) or 0.0)
    spots = [(x(value(each) or 0.0), y(each.accuracy or 0.0)) for each in shown]
    labels = _labels(spots, [each.network for each in shown])
    dots = [
        {
            "x": spot[0],
            "y": spot[1],
            "name": each.network,
            "label": label,
            "style": _style(each, race, front),
            "says": f"{each.network}: {_share(each.accuracy)}, {value(each):.3g} {title}",
        }
        for each, spot, label in zip(shown, spots, labels, strict=True)
    ]
    step = 0.05 if top - bottom <= 0.4 else 0.2
    levels = [
        (y(number * step), f"{number * step:.0%}")
        for number in range(math.ceil(bottom / step), math.floor(top / step) + 1)
    ]
    line = [(x(value(each) or 0.0), y(each.accuracy or 0.0)) for each in front]
    limit = x(most) if most is not None and low < math.log(most) < high else None
    ticks = [(x(tick), text(tick)) for tick in logarithmic(math.exp(low), math.exp(high), _TICKS)]
    return draw("race/page.chart", _BOX, title, levels, ticks, line, dots, limit)


def _labels(spots: Sequence[tuple[float, float]], names: Sequence[str]) -> list[tuple[float, float] | None]:
    """Where each name begins, beside its spot, where it lies on no other; None where there is no room."""
    taken = [(x - 8, y - 8, x + 8, y + 8) for x, y in spots]
    found: list[tuple[float, float] | None] = []
    for (x, y), name in zip(spots, names, strict=True):
        width = len(name) * _CHARACTER
        beside = ((x + 10, y + 4), (x - 10 - width, y + 4), (x - width / 2, y - 11), (x - width / 2, y + 20))
        places = ((left, bottom, (left, bottom - 11, left + width, bottom + 3)) for left, bottom in beside)
        inside = (each for each in places if each[2][0] >= 2 and each[2][2] <= _BOX.width)
        free = next((each for each in inside if not any(_meet(each[2], other) for other in taken)), None)
        found.append(None if free is None else free[:2])
        taken += [] if free is None else [free[2]]
    return found


def _meet(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _style(each: Entrant, race: Race, front: Sequence[Entrant]) -> str:
    if race.ranked and each == race.ranked[0]:
        return "winner"
    if not each.within(race.bounds):
        return "outside"
    return "front" if each in front else "behind"


def _in_order(race: Race, judged: Sequence[Entrant]) -> list[Entrant]:
    rest = [each for each in judged if each not in race.ranked]
    return [*race.ranked, *sorted(rest, key=lambda each: -(each.accuracy or 0.0))]


def _row(each: Entrant, race: Race) -> dict[str, Any]:
    low, high = interval(each.accuracy or 0.0, race.pictures)
    return {
        "style": _style(each, race, race.front),
        "network": each.network,
        "weights": each.weights,
        "accuracy": _share(each.accuracy),
        "within": f"{100 * low:.1f} to {100 * high:.1f}",
        "ms": _figure(each.ms),
        "mb": _figure(each.mb),
        "usd": "" if each.usd_per_million is None else dollars(each.usd_per_million),
        "precision": each.precision or "PyTorch",
        "seconds": f"{each.seconds:.0f}",
        "restriction": each.restriction,
    }


def _share(value: float | None) -> str:
    return f"{100 * (value or 0.0):.1f}%"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
