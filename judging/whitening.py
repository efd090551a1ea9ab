"""Features made ready to be compared: centred, turned to their main directions, each of the same spread."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

_SAMPLE: Final = 20_000
_ROWS: Final = 16_384


def whitened(features: NDArray[np.float16], most: int, seed: int = 0) -> Tensor:
    """The features in their `most` main directions, (n, m) float32 of about unit spread."""
    return _projected(features, most, seed, evenly=True)


def turned(features: NDArray[np.float16], most: int, seed: int = 0) -> Tensor:
    """The features in their `most` main directions, (n, m) float32, with the distances that they have.

    Of unit spread, an odd one would hide: among few pictures it makes a direction of its own.
    """
    return _projected(features, most, seed, evenly=False)


def _projected(features: NDArray[np.float16], most: int, seed: int, *, evenly: bool) -> Tensor:
    """The features in their main directions.

    The directions are those of a sample, so that millions of pictures cost no more than a pass over them.
    What has next to no spread is not blown up.
    """
    count, width = features.shape
    if count == 0 or width == 0:
        return torch.zeros(count, 1)
    random = torch.Generator().manual_seed(seed)
    rows = torch.randperm(count, generator=random)[:_SAMPLE].sort().values
    sample = torch.from_numpy(features[rows.numpy()]).float()
    mean = sample.mean(0)
    sample -= mean
    # In single precision LAPACK gives up on what a fresh network makes of pictures that are all alike.
    values, vectors = (each.float() for each in torch.linalg.eigh((sample.T @ sample / len(sample)).double()))
    most = min(most, width, max(1, count - 1))
    values, vectors = values[-most:].flip(0), vectors[:, -most:].flip(1)
    floor = 0.02 * values[0].clamp(min=1e-12)
    spread = (values.clamp(min=0) + floor).sqrt()
    projection = vectors / (spread if evenly else spread[0])
    result = torch.empty(count, most)
    for start in range(0, count, _ROWS):
        part = torch.from_numpy(features[start : start + _ROWS]).float()
        result[start : start + _ROWS] = (part - mean) @ projection
    return result
