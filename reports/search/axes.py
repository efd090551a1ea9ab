"""Where a hyperparameter's value lies on its axis, and which values the axis names."""

from __future__ import annotations

import math
from typing import Final

from reports.search.record import Axis, Value
from reports.shared import ticks

_WIDE: Final = 100
"""Of an axis without a scale, the most over the least, from which on it is a logarithmic one."""


def logarithmic(axis: Axis) -> bool:
    """Whether an axis is better looked at by order of magnitude: as its scale says, or for Auto its width."""
    if axis.scale == "Auto":
        return axis.low > 0 and axis.high / axis.low >= _WIDE
    return axis.scale == "Logarithmic"


def share(axis: Axis, value: Value) -> float:
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


def named(axis: Axis) -> list[tuple[Value, str]]:
    """The values that stand beside an axis: its choices, or round numbers, as the axis says them."""
    if axis.choices:
        return [(choice, choice) for choice in axis.choices]
    if axis.low == axis.high:
        return [(axis.low, ticks.text(axis.low))]
    return [(tick, ticks.text(tick)) for tick in _round(axis)]


def _round(axis: Axis) -> list[float]:
    if logarithmic(axis):
        return ticks.logarithmic(axis.low, axis.high)
    if axis.scale == "ReverseLogarithmic":
        # By their distance from 1, which is what is searched by order of magnitude.
        return [1 - tick for tick in ticks.logarithmic(1 - axis.high, 1 - axis.low)]
    return ticks.within(axis.low, axis.high, whole=axis.whole)
