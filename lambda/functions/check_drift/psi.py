"""The population stability index: how far a distribution has moved from the one expected.

Sum over the bins of (actual - expected) * ln(actual / expected), of shares. Below 0.1 nothing moved, from
0.25 on the population is another. Source: Siddiqi, N. (2006), Credit Risk Scorecards, chapter 8.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from contract.evaluation import CONFIDENCE_BINS


def psi(expected: Sequence[int], actual: Sequence[int]) -> float:
    """The index of two counts over the same bins.

    Half a count is added to every bin, so that an empty one has a logarithm.
    """
    return math.fsum(
        (now - before) * math.log(now / before)
        for before, now in zip(_shares(expected), _shares(actual), strict=True)
    )


def bin_of(confidence: float) -> int:
    """The bin of a confidence from 0 to 1."""
    return min(int(confidence * CONFIDENCE_BINS), CONFIDENCE_BINS - 1)


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts) + 0.5 * len(counts)
    return [(count + 0.5) / total for count in counts]
