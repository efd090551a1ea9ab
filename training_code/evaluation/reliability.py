"""How far confidence is from accuracy: the expected calibration error, with what chance has in it.

Source: Guo et al. 2017, arXiv 1706.04599; bins of equal width.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.calibration import Bin, Reliability
from contract.evaluation import CONFIDENCE_BINS

Floats = NDArray[np.floating[Any]]

_DRAWS: Final = 1000
"""Of the bootstrap."""
_CHANCES: Final = 200
_AT_ONCE: Final = 2_000_000
"""Numbers that are drawn at a time."""


def reliability(confidence: Floats, right: NDArray[np.bool_], seed: int = 0) -> Reliability:
    """How far the confidence (n,) of answers is from whether they were right (n,)."""
    random = np.random.default_rng(seed)
    n = len(confidence)
    bins = np.minimum((confidence * CONFIDENCE_BINS).astype(np.int64), CONFIDENCE_BINS - 1)
    gaps: Floats = right - confidence.astype(np.float64)
    drawn = [_resampled(bins, gaps, random.integers(0, n, n)) / n for _ in range(_draws(n))]
    by_chance = [
        _ece(_sums(bins, (random.random(n) < confidence) - confidence)) / n
        for _ in range(min(_CHANCES, _draws(n)))
    ]
    ece = _ece(_sums(bins, gaps)) / n
    # Drawing again adds chance to what has some already: by so much the draws lie above what was seen.
    low, high = np.maximum(np.quantile(drawn, (0.025, 0.975)) - (np.mean(drawn) - ece), 0)
    return {
        "ece": round(ece, 6),
        "within": [round(float(low), 6), round(float(high), 6)],
        "by_chance": round(float(np.mean(by_chance)), 6),
        "bins": _bins(bins, confidence, right),
    }


def _draws(n: int) -> int:
    """Very many pictures need few draws: their interval is narrow."""
    return max(100, min(_DRAWS, 100 * _AT_ONCE // n))


def _resampled(bins: NDArray[np.int64], gaps: Floats, rows: NDArray[np.int64]) -> float:
    return _ece(_sums(bins[rows], gaps[rows]))


def _sums(bins: NDArray[np.int64], values: NDArray[Any]) -> Floats:
    sums: Any = np.bincount(bins, values, CONFIDENCE_BINS)
    return np.asarray(sums, np.float64)


def _ece(sums: Floats) -> float:
    return float(np.abs(sums).sum())


def _bins(bins: NDArray[np.int64], confidence: Floats, right: NDArray[np.bool_]) -> list[Bin]:
    counts = np.bincount(bins, minlength=CONFIDENCE_BINS)
    sure, hits = _sums(bins, confidence), _sums(bins, right)
    return [
        {
            "place": place,
            "count": int(counts[place]),
            "confidence": round(float(sure[place] / counts[place]), 6),
            "accuracy": round(float(hits[place] / counts[place]), 6),
        }
        for place in np.flatnonzero(counts).tolist()
    ]
