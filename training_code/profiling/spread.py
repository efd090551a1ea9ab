"""A figure of a whole training, and how much it varied between the parts of the training."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

_PARTS: Final = 4
PARTED: Final = "by quarter of the training"


@dataclass(frozen=True)
class Spread:
    """One figure, and the lowest and highest it had."""

    middle: float
    low: float
    high: float

    def map(self, work: Callable[[float], float]) -> Spread:
        """Another figure that follows from this one, rising with it or falling."""
        low, high = sorted((work(self.low), work(self.high)))
        return Spread(work(self.middle), low, high)

    def text(self, form: str, unit: str = "") -> str:
        """`1.3 times, 1.1 to 1.6`, each number in this form."""
        low, high = format(self.low, form), format(self.high, form)
        between = low if low == high else f"{low} to {high}"
        return f"{format(self.middle, form)}{unit}, {between}"


def by_quarter(rows: int, figure: Callable[[slice], float]) -> Spread:
    """The figure of all rows of a training, and the extremes of it in four parts of them in turn."""
    bounds = [round(each) for each in np.linspace(0, rows, _PARTS + 1)]
    parts = [figure(slice(start, end)) for start, end in itertools.pairwise(bounds) if end > start]
    return Spread(figure(slice(0, rows)), min(parts), max(parts))


def of_values(values: Sequence[float]) -> Spread:
    """The median of several measurements, and their extremes."""
    return Spread(float(np.median(values)), float(min(values)), float(max(values)))
