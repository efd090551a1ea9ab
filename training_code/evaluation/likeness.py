"""What training pictures are like, for telling others: class means in directions stretched alike, and looks.

Of raw softmax, largest score, energy (Liu et al. 2020), distance to the nearest class mean or picture, plain
or relative Mahalanobis, this told held-out classes best (`make bench NAME=confidence` repeats it). Looks
(`contract.answers.appearance`) tell what is of another kind altogether, which the features of a network that
has seen one kind only do not. Of 1,280 features and 224 pixels the two take 0.04 and 0.07 ms: two hundredths
of a request to EfficientNet-Lite0, fewer of one to a larger network.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.answers.appearance import Appearance
from contract.answers.confidence import Likeness

Floats = NDArray[np.floating[Any]]

DIRECTIONS: Final = 256
"""Kept at most: more told no better, and each costs time and memory in every request."""
_RIDGE: Final = 0.3
"""Of the mean variance, added to each: directions that hardly vary are noise. 0.1 and 1 do about as well."""
_LEAST_LOOK: Final = 0.05
"""Of the range of each number of a look, its least deviation: a grey set's colours do not differ at all."""
_LOOKS_ALONE: Final = 0.1
"""Of a number's variance, what others do not tell."""
_WITHIN_REACH: Final = 0.995
"""The share of training pictures within the reach: the rest may be mistakes among them."""


def fit(
    features: Floats, labels: NDArray[np.integer[Any]], classes: int, looks: Floats | None = None
) -> Likeness | None:
    """What pictures of these features and classes are like; None where all are alike, or one is no number.

    Args:
        features: what goes into the head, (n, features).
        labels: class indices, (n,).
        classes: how many there are.
        looks: of pictures of the same split, (m, NUMBERS).
    """
    counts = np.bincount(labels, minlength=classes)
    centre = features.mean(0, dtype=np.float64)
    around = features.astype(np.float32) - centre.astype(np.float32)
    mean = float((around.astype(np.float64) ** 2).sum() / around.size)
    if not np.isfinite(mean) or mean <= 0:
        return None
    variances, directions = _principal(around)
    ridge, kept = _RIDGE * mean, len(variances)
    scales = 1 / np.sqrt(variances + ridge)
    left = mean * features.shape[1] - float(variances.sum())
    others = features.shape[1] - kept
    outside = 1 / ((max(0.0, left) / others if others else 0.0) + ridge)
    sums = np.zeros((classes, kept))
    np.add.at(sums, labels, (around @ directions) * scales)
    means = sums / np.maximum(counts, 1)[:, None]
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return Likeness(
        centre.astype(np.float32),
        directions.astype(np.float32),
        scales.astype(np.float32),
        float(outside),
        means.astype(np.float32),
        None if looks is None or not len(looks) else _appearance(looks.astype(np.float64)),
    )


def _appearance(looks: Floats) -> Appearance:
    centre = looks.mean(0)
    deviation = np.sqrt(looks.var(0) + _LEAST_LOOK**2)
    alike = (looks - centre) / deviation
    covariance = alike.T @ alike / len(alike) + _LOOKS_ALONE * np.eye(alike.shape[1])
    stretch = np.linalg.inv(np.linalg.cholesky(covariance)).T / deviation[:, None]
    far = np.sqrt((((looks - centre) @ stretch) ** 2).sum(1))
    # Pictures that all look the same have no reach: a deviation of 1 in each number is like them still.
    reach = max(float(np.quantile(far, _WITHIN_REACH)), looks.shape[1] ** 0.5)
    return Appearance(centre.astype(np.float32), stretch.astype(np.float32), reach)


def _principal(around: Floats) -> tuple[Floats, Floats]:
    """The greatest variances, and their directions (features, kept), orthonormal."""
    covariance = (around.T @ around).astype(np.float64) / len(around)
    variances, directions = np.linalg.eigh(covariance)
    kept = min(DIRECTIONS, len(variances))
    return np.maximum(variances[::-1][:kept], 0), directions[:, ::-1][:, :kept]
