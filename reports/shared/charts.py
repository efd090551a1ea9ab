"""Drawings, as inline SVG and HTML: no script, no font, no address outside the page.

Here is where things lie; the template draws them. Colours are the page's CSS variables, so a drawing
follows the reader's light or dark setting. Every mark has a title that a pointer resting on it shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from markupsafe import Markup

from reports.shared.markup import draw
from reports.shared.ticks import spanning

_NARROW: Final = 16
_LEVELS: Final = 10
SPOTS: Final = 4000
"""Of a confusion map; each is an element of the page."""


@dataclass(frozen=True)
class Box:
    """A drawing's size, and how far its plot stays away from its edges."""

    width: int = 520
    height: int = 240
    left: int = 52
    right: int = 92
    top: int = 14
    bottom: int = 34

    def x(self, share: float) -> float:
        return self.left + share * (self.width - self.left - self.right)

    def y(self, share: float) -> float:
        return self.top + share * (self.height - self.top - self.bottom)


@dataclass(frozen=True)
class Line:
    """One curve: its name, the CSS class that colours it, and a value per epoch or place."""

    name: str
    style: str
    values: Sequence[float]


def curves(
    title: str, lines: Sequence[Line], best: int | None, *, percent: bool = False, named: bool = True
) -> Markup:
    """A line chart over epochs 1, 2, ..., the `best` one marked by a dashed line.

    Values that are shares are drawn as `percent`. With `named` each name stands behind its curve, which is
    for short names of curves that end together.
    """
    count, box = max(len(line.values) for line in lines), Box() if named else Box(right=_NARROW)
    ticks = spanning([value for line in lines for value in line.values], most=1.0 if percent else math.inf)
    low, high = ticks[0], ticks[-1]

    def x(epoch: float) -> float:
        return box.x((epoch - 1) / (count - 1) if count > 1 else 0.5)

    def y(value: float) -> float:
        return box.y((high - value) / (high - low))

    def in_words(value: float) -> str:
        return f"{value:.1%}" if percent else f"{value:.4g}"

    ends = _apart([y(line.values[-1]) for line in lines], lowest=box.height - box.bottom) if named else []
    return draw(
        "shared/charts.curves",
        title,
        box,
        [(y(tick), f"{tick * 100:.4g}%" if percent else f"{tick:.4g}") for tick in ticks],
        [(x(epoch), epoch) for epoch in _epochs_shown(count)],
        None if best is None else x(best),
        [
            (
                line.style,
                [
                    (x(epoch), y(value), f"{line.name}, epoch {epoch}: {in_words(value)}")
                    for epoch, value in enumerate(line.values, 1)
                ],
            )
            for line in lines
        ],
        [(line.style, x(count), place, line.name) for line, place in zip(lines, ends, strict=False)],
    )


def timeline(
    places: Sequence[float],
    series: Sequence[Line],
    *,
    unit: str,
    along: str = "",
    most: float = math.inf,
    stacked: bool = False,
) -> Markup:
    """Lines, or areas on top of each other, over time or steps.

    Args:
        places: where each value belongs, ascending.
        unit: behind a value, for the titles.
        along: behind a place, below the drawing.
        most: the highest value there can be.
        stacked: whether the values add up, from the first series on.
    """
    box = Box(right=_NARROW)
    levels = [0.0] * len(places)
    tops: list[list[float]] = []
    for each in series:
        levels = [low + value for low, value in zip(levels, each.values, strict=True)]
        tops.append(levels if stacked else list(each.values))
    ticks = spanning([0.0, *(value for top in tops for value in top)], most=most)
    high, first, last = ticks[-1], places[0], places[-1]

    def x(place: float) -> float:
        return box.x((place - first) / ((last - first) or 1))

    def y(value: float) -> float:
        return box.y(1 - value / high)

    shapes = []
    for number in reversed(range(len(series))):
        each = series[number]
        dots = [(x(place), y(value)) for place, value in zip(places, tops[number], strict=True)]
        if stacked:
            dots = [(x(first), y(0)), *dots, (x(last), y(0))]
        shapes.append((each.style, dots, stacked, f"{each.name}: up to {max(each.values):.4g}{unit}"))
    return draw(
        "shared/charts.timeline",
        f"{', '.join(each.name for each in series)} from {first:.4g} to {last:.4g}{along}",
        box,
        [(y(tick), f"{tick:.4g}") for tick in ticks],
        [
            (x(place), f"{place:.4g}{along}")
            for place in spanning([first, last], most=math.inf, parts=5)
            if first <= place <= last
        ],
        shapes,
        [] if stacked else series,
    )


@dataclass(frozen=True)
class Dot:
    """One row of a reliability drawing: name, CSS class, and of each bin confidence, accuracy, count."""

    name: str
    style: str
    places: Sequence[tuple[float, float, int]]


def reliability(rows: Sequence[Dot]) -> Markup:
    """Accuracy over confidence, a dot for each bin whose area is its pictures; right is the diagonal."""
    box = Box(right=_NARROW)
    shapes = []
    for row in rows:
        most = max((count for _, _, count in row.places), default=1)
        dots = [
            (
                box.x(sure),
                box.y(1 - right),
                3 + 6 * math.sqrt(count / most),
                f"{row.name}: {count} pictures, {sure:.1%} sure and {right:.1%} right",
            )
            for sure, right, count in row.places
        ]
        shapes.append((row.style, dots, row.name))
    ticks = [step / 4 for step in range(5)]
    return draw(
        "shared/charts.reliability",
        box,
        [(box.y(1 - tick), f"{tick:.0%}") for tick in ticks],
        [(box.x(tick), f"{tick:.0%}") for tick in ticks],
        (box.x(0), box.y(1), box.x(1), box.y(0)),
        shapes,
    )


def stack(parts: Sequence[tuple[str, str, float]]) -> Markup:
    """One bar of several parts: name, CSS class and share of each."""
    return draw("shared/charts.stack", parts)


def heat_map(rows: Sequence[str], columns: Sequence[int], powers: Sequence[Sequence[float | None]]) -> Markup:
    """Values of rows over columns as spots, coloured by their power of ten; None is zero or no number.

    The spots of one colour are one path, which keeps thousands of them small.
    """
    numbers = [value for row in powers for value in row if value is not None]
    low, high = (math.floor(min(numbers)), math.ceil(max(numbers))) if numbers else (-1, 0)
    high = max(high, low + 1)
    wide, tall = 360 / max(1, len(columns)), 11
    paths: dict[int, list[str]] = {}
    for row, values in enumerate(powers):
        for column, value in enumerate(values):
            level = -1 if value is None else round((value - low) / (high - low) * (_LEVELS - 1))
            shape = f"M{150 + column * wide:.1f} {row * tall}h{wide:.2f}v{tall - 1}h-{wide:.2f}z"
            paths.setdefault(level, []).append(shape)
    return draw(
        "shared/charts.heat_map",
        f"Powers of ten of {len(rows)} layers over {len(columns)} steps",
        len(rows) * tall,
        [(row * tall + 9, name) for row, name in enumerate(rows)],
        [(level, "".join(shapes)) for level, shapes in sorted(paths.items())],
        columns[0] if columns else None,
        columns[-1] if columns else None,
        low,
        high,
        _LEVELS,
    )


def confusion_map(classes: Sequence[str], cells: Sequence[Sequence[int]]) -> Markup:
    """A confusion matrix of many classes as spots: of those that are not zero, the most frequent."""
    totals = [0] * len(classes)
    for truth, _, count in cells:
        totals[truth] += count
    spots = [
        {
            "x": answer,
            "y": truth,
            "share": max(0.25, count / totals[truth]),
            "says": f"{count} of {totals[truth]} pictures of {classes[truth]} taken for {classes[answer]}",
        }
        for truth, answer, count in sorted(cells, key=lambda cell: -cell[2])[:SPOTS]
    ]
    title = f"Confusion matrix of {len(classes)} classes"
    return draw("shared/charts.confusion_map", title, len(classes), spots)


def matrix(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> Markup:
    """A confusion matrix as a table: rows are true classes, columns predicted ones, shaded by share."""
    rows = []
    for truth, row in zip(classes, counts, strict=True):
        total = sum(row) or 1
        cells = [_cell(truth, predicted, count, total) for predicted, count in zip(classes, row, strict=True)]
        rows.append((truth, cells))
    return draw("shared/charts.matrix", classes, max(map(len, classes)) > 3, rows)


def _cell(truth: str, predicted: str, count: int, total: int) -> dict[str, Any] | None:
    if count == 0:
        return None
    share = round(100 * count / total)
    return {
        "style": "right" if truth == predicted else "wrong",
        "share": max(8, share),
        "says": f"{count} of {total} pictures of {truth} ({share}%) taken for {predicted}",
        "count": count,
    }


def _epochs_shown(count: int) -> list[int]:
    step = max(1, math.ceil(count / 10))
    return sorted({1, *range(step, count + 1, step), count} - ({count - 1} if step > 1 else set()))


def _apart(places: Sequence[float], lowest: float, least: float = 17) -> list[float]:
    """Places of labels, from the lowest up, moved up where they would lie on each other."""
    result = list(places)
    above = lowest + least
    for index in sorted(range(len(places)), key=lambda each: -places[each]):
        result[index] = above = min(places[index], above - least)
    return result
