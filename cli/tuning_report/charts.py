"""The page's drawings, as inline SVG: no script, no font, no address outside the page.

Colours are the page's CSS variables, so a drawing follows the reader's light or dark setting. Every mark has
a title that a pointer resting on it shows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from cli.tuning_report.importance import logarithmic
from cli.tuning_report.read import Axis, Search, Trial

_TOP: Final = 40
_HEIGHT: Final = 320
_STEP: Final = 150
_SIDE: Final = 70


def coordinates(search: Search) -> str:
    """Parallel coordinates: an axis per hyperparameter and one for the objective, a line per trial.

    The better a trial, the stronger its line; the best is drawn last, in its own colour.
    """
    ranked = search.ranked
    columns = len(search.axes) + 1
    width = 2 * _SIDE + _STEP * (columns - 1)
    goal = _goal(search)
    parts = [_opening(f"Parallel coordinates of {len(ranked)} trials", width, _HEIGHT + 2 * _TOP)]
    for place in range(columns):
        x = _SIDE + place * _STEP
        parts.append(f'<line class="axis" x1="{x}" x2="{x}" y1="{_TOP}" y2="{_TOP + _HEIGHT}"/>')
    for rank in range(len(ranked) - 1, -1, -1):
        trial = ranked[rank]
        values = [*(trial.values.get(axis.name) for axis in search.axes), trial.objective]
        points = [
            (_SIDE + place * _STEP, _y(axis, value))
            for place, (axis, value) in enumerate(zip([*search.axes, goal], values, strict=True))
            if value is not None
        ]
        strength = 100 if len(ranked) == 1 else round(100 - 85 * rank / (len(ranked) - 1))
        style = "trial first" if rank == 0 else "trial"
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(
            f'<polyline class="{style}" style="--strength:{strength}%" points="{path}">'
            f"<title>{escape(said(search, trial))}</title></polyline>"
        )
    for place, axis in enumerate([*search.axes, goal]):
        parts.append(_labels(axis, _SIDE + place * _STEP, last=place == columns - 1))
    return "".join([*parts, "</svg>"])


def progress(search: Search) -> str:
    """The objective of each trial in the order they were started, and the best so far."""
    measured = [(number, trial) for number, trial in enumerate(search.trials, 1) if trial.measured]
    width, height, left, right = 560, 240, 62, 20
    low, high = _spread([trial.objective or 0.0 for _, trial in measured])
    last = max(len(search.trials), 2)

    def x(number: int) -> float:
        return left + (number - 1) / (last - 1) * (width - left - right)

    def y(value: float) -> float:
        return 14 + (high - value) / (high - low) * (height - 48)

    parts = [_opening(f"{search.metric} by trial", width, height)]
    for value in (low, (low + high) / 2, high):
        parts.append(
            f'<line class="grid" x1="{left}" x2="{width - right}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>'
            f'<text x="{left - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{number_text(value)}</text>'
        )
    for number in sorted({1, (last + 1) // 2, last}):
        parts.append(f'<text x="{x(number):.1f}" y="{height - 8}" text-anchor="middle">{number}</text>')
    best: list[str] = []
    so_far: float | None = None
    for number, trial in measured:
        value = trial.objective or 0.0
        if so_far is not None:
            best.append(f"{x(number):.1f},{y(so_far):.1f}")
            value = max(so_far, value) if search.maximize else min(so_far, value)
        so_far = value
        best.append(f"{x(number):.1f},{y(so_far):.1f}")
    parts.append(f'<polyline class="best" points="{" ".join(best)}"/>')
    parts.extend(
        f'<circle cx="{x(number):.1f}" cy="{y(trial.objective or 0.0):.1f}" r="5">'
        f"<title>{escape(said(search, trial))}</title></circle>"
        for number, trial in measured
    )
    return "".join([*parts, "</svg>"])


def bars(shares: Mapping[str, float]) -> str:
    """Importances as bars with their percentages, the largest first."""
    rows = [
        f'<tr><th scope="row">{escape(name)}</th><td>'
        f'<span class="bar" style="--share:{share * 100:.1f}%"></span></td>'
        f'<td class="number">{share:.0%}</td></tr>'
        for name, share in sorted(shares.items(), key=lambda item: -item[1])
    ]
    return f'<table class="bars"><tbody>{"".join(rows)}</tbody></table>'


def said(search: Search, trial: Trial) -> str:
    """A trial in one line: its objective and its values."""
    values = ", ".join(f"{name} {_value_text(value)}" for name, value in trial.values.items())
    result = number_text(trial.objective) if trial.objective is not None else trial.status
    return f"{trial.name}: {search.metric} {result} ({values})"


def number_text(value: float) -> str:
    """Four digits at most, large and small numbers by their power of ten."""
    return f"{value:.4g}"


def _value_text(value: float | str) -> str:
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


def _labels(axis: Axis, x: float, *, last: bool) -> str:
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
    labels = "".join(
        f'<text class="tick" x="{x + side:.1f}" y="{y + 4:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
        for y, text in ends
    )
    return (
        f'{labels}<text class="name" x="{x}" y="{_TOP - 18}" text-anchor="middle">{escape(axis.name)}</text>'
    )


def _opening(title: str, width: float, height: float) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {width} {height}" style="--width:{width}px" role="img" '
        f'aria-label="{escape(title)}">'
    )
