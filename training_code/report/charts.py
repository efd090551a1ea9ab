"""Drawings for the report, as inline SVG and HTML: no script, no font, no address outside the page.

Colours are the page's CSS variables, so a drawing follows the reader's light or dark setting. Every mark has
a title that a pointer resting on it shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_WIDTH: Final = 520
_HEIGHT: Final = 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 92, 14, 34
_NARROW: Final = 16
_LEVELS: Final = 10
SPOTS: Final = 4000
"""Of a confusion map; each is an element of the page."""


@dataclass(frozen=True)
class Line:
    """One curve: its name, the CSS class that colours it, and a value per epoch."""

    name: str
    style: str
    values: Sequence[float]


def curves(
    title: str, lines: Sequence[Line], best: int | None, *, percent: bool = False, named: bool = True
) -> str:
    """A line chart over epochs 1, 2, ...

    Args:
        title: what the values are.
        lines: one or more curves, each from epoch 1 on.
        best: the epoch to mark by a dashed line.
        percent: values are shares to be shown as percentages.
        named: each name stands behind its curve, which is for short ones, of curves that end together.
    """
    count, right = max(len(line.values) for line in lines), _RIGHT if named else _NARROW
    ticks = _ticks([value for line in lines for value in line.values], most=1.0 if percent else math.inf)
    low, high = ticks[0], ticks[-1]

    def x(epoch: float) -> float:
        share = (epoch - 1) / (count - 1) if count > 1 else 0.5
        return _LEFT + share * (_WIDTH - _LEFT - right)

    def y(value: float) -> float:
        return _TOP + (high - value) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    def said(value: float) -> str:
        return f"{value:.1%}" if percent else f"{value:.4g}"

    parts = [f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">']
    for tick in ticks:
        label = f"{tick * 100:.4g}%" if percent else f"{tick:.4g}"
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - right}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
        )
        parts.append(
            f'<text class="tick" x="{_LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{label}</text>'
        )
    for epoch in _epochs_shown(count):
        parts.append(
            f'<text class="tick" x="{x(epoch):.1f}" y="{_HEIGHT - 14}" text-anchor="middle">{epoch}</text>'
        )
    if best is not None:
        parts.append(
            f'<line class="best" x1="{x(best):.1f}" x2="{x(best):.1f}" y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}"/>'
        )
    for line in lines:
        points = " ".join(f"{x(epoch):.1f},{y(value):.1f}" for epoch, value in enumerate(line.values, 1))
        parts.append(f'<polyline class="{line.style}" points="{points}"/>')
        parts.extend(
            f'<circle class="{line.style}" cx="{x(epoch):.1f}" cy="{y(value):.1f}" r="4">'
            f"<title>{escape(line.name)}, epoch {epoch}: {said(value)}</title></circle>"
            for epoch, value in enumerate(line.values, 1)
        )
    if not named:
        return "".join([*parts, "</svg>"])
    ends = _apart([y(line.values[-1]) for line in lines], lowest=_HEIGHT - _BOTTOM)
    for line, place in zip(lines, ends, strict=True):
        parts.append(f'<circle class="{line.style}" cx="{x(count) + 14:.1f}" cy="{place:.1f}" r="4"/>')
        parts.append(
            f'<text class="name" x="{x(count) + 22:.1f}" y="{place + 4:.1f}">{escape(line.name)}</text>'
        )
    return "".join([*parts, "</svg>"])


@dataclass(frozen=True)
class Series:
    """One line of a timeline: its name, the CSS class that colours it, and a value per place."""

    name: str
    style: str
    values: Sequence[float]


def timeline(
    places: Sequence[float],
    series: Sequence[Series],
    *,
    unit: str,
    along: str = "",
    most: float = math.inf,
    stacked: bool = False,
) -> str:
    """Lines, or areas on top of each other, over time or steps.

    Args:
        places: where each value belongs, ascending.
        series: lines of that many values; a stack grows from the first.
        unit: behind a value, for the titles.
        along: behind a place, below the drawing.
        most: the highest value there can be.
        stacked: whether the values add up.
    """
    levels = [0.0] * len(places)
    tops: list[list[float]] = []
    for each in series:
        levels = [low + value for low, value in zip(levels, each.values, strict=True)]
        tops.append(levels if stacked else list(each.values))
    ticks = _ticks([0.0, *(value for top in tops for value in top)], most=most)
    high, first, last = ticks[-1], places[0], places[-1]

    def x(place: float) -> float:
        return _LEFT + (place - first) / ((last - first) or 1) * (_WIDTH - _LEFT - _NARROW)

    def y(value: float) -> float:
        return _TOP + (1 - value / high) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">']
    for tick in ticks:
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _NARROW}" y1="{y(tick):.1f}" y2="{y(tick):.1f}"/>'
            f'<text class="tick" x="{_LEFT - 8}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.4g}</text>'
        )
    for place in _ticks([first, last], most=math.inf, parts=5):
        if first <= place <= last:
            parts.append(
                f'<text class="tick" x="{x(place):.1f}" y="{_HEIGHT - 14}" '
                f'text-anchor="middle">{place:.4g}{escape(along)}</text>'
            )
    for number in reversed(range(len(series))):
        each, top = series[number], tops[number]
        line = " ".join(f"{x(place):.1f},{y(value):.1f}" for place, value in zip(places, top, strict=True))
        title = f"<title>{escape(each.name)}: up to {max(each.values):.4g}{escape(unit)}</title>"
        if stacked:
            shape = f"{x(first):.1f},{y(0):.1f} {line} {x(last):.1f},{y(0):.1f}"
            parts.append(f'<polygon class="area {each.style}" points="{shape}">{title}</polygon>')
        else:
            parts.append(f'<polyline class="{each.style}" points="{line}">{title}</polyline>')
    legend = "".join(
        f'<span><i class="key {each.style}"></i>{escape(each.name)}</span>' for each in series if not stacked
    )
    return "".join([*parts, "</svg>", f'<p class="legend">{legend}</p>' if legend else ""])


def stack(parts: Sequence[tuple[str, str, float]]) -> str:
    """One bar of several parts: name, CSS class and share of each."""
    return (
        '<div class="stack">'
        + "".join(
            f'<span class="{style}" style="width:{100 * share:.2f}%" title="{escape(name)}: '
            f'{share:.1%}"></span>'
            for name, style, share in parts
        )
        + "</div>"
    )


def heat_map(rows: Sequence[str], columns: Sequence[int], powers: Sequence[Sequence[float | None]]) -> str:
    """Values of rows over columns as spots, coloured by their power of ten; None is zero or no number.

    The spots of one colour are one path, which keeps thousands of them small.
    """
    there = [value for row in powers for value in row if value is not None]
    low, high = (math.floor(min(there)), math.ceil(max(there))) if there else (-1, 0)
    high = max(high, low + 1)
    wide, tall = 360 / max(1, len(columns)), 11
    paths: dict[int, list[str]] = {}
    for row, values in enumerate(powers):
        for column, value in enumerate(values):
            level = -1 if value is None else round((value - low) / (high - low) * (_LEVELS - 1))
            shape = f"M{150 + column * wide:.1f} {row * tall}h{wide:.2f}v{tall - 1}h-{wide:.2f}z"
            paths.setdefault(level, []).append(shape)
    height = len(rows) * tall
    drawn = [f'<svg class="chart heat" viewBox="0 0 520 {height + 44}" role="img">']
    drawn += [
        f'<path class="level{level}" d="{"".join(shapes)}"/>' for level, shapes in sorted(paths.items())
    ]
    drawn += [
        f'<text x="144" y="{row * tall + 9}" text-anchor="end">{escape(name)}</text>'
        for row, name in enumerate(rows)
    ]
    if columns:
        drawn.append(f'<text x="150" y="{height + 12}">step {columns[0]}</text>')
        drawn.append(f'<text x="510" y="{height + 12}" text-anchor="end">{columns[-1]}</text>')
    for level in range(_LEVELS):
        drawn.append(
            f'<rect class="level{level}" x="{200 + level * 16}" y="{height + 24}" width="16" height="9"/>'
        )
    drawn.append(f'<text x="194" y="{height + 33}" text-anchor="end">10^{low}</text>')
    drawn.append(f'<text x="{206 + 16 * _LEVELS}" y="{height + 33}">10^{high}</text>')
    return "".join([*drawn, "</svg>"])


def confusion_map(classes: Sequence[str], cells: Sequence[Sequence[int]]) -> str:
    """A confusion matrix of many classes as spots: of those that are not zero, the most frequent."""
    totals = [0] * len(classes)
    for truth, _, count in cells:
        totals[truth] += count
    size = len(classes)
    parts = [f'<svg class="confusion" viewBox="0 0 {size} {size}" role="img">']
    parts.append(f'<rect class="ground" width="{size}" height="{size}"/>')
    for truth, said, count in sorted(cells, key=lambda cell: -cell[2])[:SPOTS]:
        share = count / totals[truth]
        title = f"{count} of {totals[truth]} pictures of {classes[truth]} taken for {classes[said]}"
        parts.append(
            f'<rect class="{"right" if truth == said else "wrong"}" x="{said}" y="{truth}" width="1" '
            'height="1" '
            f'opacity="{max(0.25, share):.2f}"><title>{escape(title)}</title></rect>'
        )
    return "".join([*parts, "</svg>"])


def matrix(classes: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """A confusion matrix as a table: rows are true classes, columns predicted ones, shaded by share."""
    upright = ' class="upright"' if max(map(len, classes)) > 3 else ""
    head = "".join(f'<th scope="col"><span{upright}>{escape(name)}</span></th>' for name in classes)
    rows: list[str] = []
    for truth, row in zip(classes, counts, strict=True):
        total = sum(row) or 1
        cells = "".join(
            _cell(truth, predicted, count, total, right=truth == predicted)
            for predicted, count in zip(classes, row, strict=True)
        )
        rows.append(f'<tr><th scope="row">{escape(truth)}</th>{cells}</tr>')
    return (
        f'<table class="matrix"><thead><tr><td></td>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table>'
    )


def _cell(truth: str, predicted: str, count: int, total: int, *, right: bool) -> str:
    if count == 0:
        return "<td></td>"
    share = round(100 * count / total)
    title = f"{count} of {total} pictures of {truth} ({share}%) taken for {predicted}"
    style = f"{'right' if right else 'wrong'}{' deep' if share >= 55 else ''}"
    return f'<td class="{style}" style="--share:{max(8, share)}%" title="{escape(title)}">{count}</td>'


def _ticks(values: Sequence[float], most: float, parts: int = 3) -> list[float]:
    """Round numbers that span the values, with about `parts` steps between them."""
    low, high = min(values), max(values)
    if high - low < 1e-9:
        low, high = low - 0.05, high + 0.05
    rough = (high - low) / parts
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = min(last, round(most / step)) if math.isfinite(most) else last
    return [tick * step for tick in range(max(first, 0) if low >= 0 else first, max(last, first + 1) + 1)]


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
