"""Round numbers for the axes of drawings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

_STEPS: Final = (1, 2, 2.5, 5, 10)
_FACTORS: Final = ((1, 2, 5), (1,))
"""Of the powers of ten on a logarithmic axis: the closest that there is room for."""


def spanning(values: Sequence[float], most: float, parts: int = 3) -> list[float]:
    """Round numbers that span the values and end at `most`, with about `parts` steps between them."""
    low, high = min(values), max(values)
    if high - low < 1e-9:
        room = max(0.05, abs(low) * 1e-9)  # else a very large number would have none
        low, high = low - room, high + room
    step = _step((high - low) / parts)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    last = min(last, round(most / step)) if math.isfinite(most) else last
    return [tick * step for tick in range(max(first, 0) if low >= 0 else first, max(last, first + 1) + 1)]


def within(low: float, high: float, *, parts: int = 5, whole: bool = False) -> list[float]:
    """Round numbers from `low` to `high`, about `parts` steps apart; with `whole` none has a fraction."""
    if high <= low:
        return [low]
    step = _step((high - low) / parts)
    step = max(1.0, math.ceil(step)) if whole else step
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [tick * step for tick in range(first, last + 1)]


def logarithmic(low: float, high: float, most: int = 7) -> list[float]:
    """At most so many round numbers from `low` (above 0) to `high`, evenly spread by order of magnitude."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    found: list[float] = []
    for factors in _FACTORS:
        numbers = (factor * 10.0**power for power in powers for factor in factors)
        found = [number for number in numbers if low * (1 - 1e-9) <= number <= high * (1 + 1e-9)]
        if len(found) <= most:
            break
    # Within a step of 1, 2, 5 a linear axis is as good.
    return found[:: math.ceil(len(found) / most)] if len(found) > 1 else within(low, high)


def text(tick: float) -> str:
    """A tick as an axis names it."""
    mantissa, power, exponent = f"{tick:.6g}".partition("e")
    return f"{mantissa}e{int(exponent)}" if power else mantissa


def _step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in _STEPS if power * factor >= rough * (1 - 1e-9))
