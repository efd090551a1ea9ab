"""Odd ones out: pictures that are far from all others, or from those of their class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from doctor.neighbours import nearest
from doctor.usual import surprise

_NEAREST: Final = 6
_LEAST_CLASS: Final = 20
"""Pictures of a class from which on it is known what is usual in it."""
ODD: Final = 5.0
"""Robust standard deviations above the median of log distances."""


def oddness(features: Tensor, labels: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How far each picture is from the others, over all and within its class, in robust deviations; (n,)
    each.

    The distance is that to the sixth nearest, so that a few of one odd kind are odd.
    """
    overall = surprise(_distances(features))
    within = np.zeros(len(labels), np.float32)
    for rows in _classes(labels):
        within[rows] = surprise(_distances(features[torch.from_numpy(rows)]))
    return overall, within


def _distances(points: Tensor) -> NDArray[np.float32]:
    near = nearest(points, min(_NEAREST, max(1, len(points) - 1)), trees=4)
    far = near.distance.masked_fill(near.distance.isinf(), -1.0).amax(1)
    found: NDArray[np.float32] = far.clamp(min=1e-6).log().numpy()
    return found


def _classes(labels: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    order = np.argsort(labels, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        if len(rows) >= _LEAST_CLASS:
            yield rows
