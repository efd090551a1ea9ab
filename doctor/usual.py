"""What is usual in a set of values, and how far a value is from it, undisturbed by the unusual ones."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_TO_DEVIATIONS: Final = 1.4826
"""A normal distribution's standard deviation by its median absolute deviation."""


def surprise(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """How many robust standard deviations each value lies above the median; below it negative."""
    if not len(values):
        return values
    middle = np.median(values)
    spread = _TO_DEVIATIONS * np.median(np.abs(values - middle))
    return ((values - middle) / max(float(spread), 1e-3)).astype(np.float32)


def quantiles(values: NDArray[np.float32] | NDArray[np.int32], *shares: float) -> list[float]:
    """Quantiles as plain numbers; none of no values."""
    return [float(each) for each in np.quantile(values, shares)] if len(values) else []
