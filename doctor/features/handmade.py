"""Features without a network: directions of edges, coarse colours and the picture itself, small.

Directions of edges as Dalal and Triggs (2005), in cells whose strength is measured by their neighbourhood.
They tell digits, symbols and scans apart, and everyday photographs only roughly.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from contract.pictures.transform import Transform
from doctor.pictures.album import Floats

_DIRECTIONS: Final = 9
_CELL: Final = 8


class Handmade:
    """Features (n, 883) of squares of 64 pixels: 576 of edges, 256 of grey levels, 51 of colours."""

    transform: Transform | None = None
    name: str = "handmade"

    def __call__(self, squares: NDArray[np.uint8], pixels: NDArray[np.uint8] | None) -> Floats:
        colours = torch.from_numpy(squares).permute(0, 3, 1, 2).float() / 255
        grey = colours.mean(1, keepdim=True)
        tiny = functional.avg_pool2d(grey, 4).flatten(1)
        tiny = tiny - tiny.mean(1, keepdim=True)
        tints = functional.avg_pool2d(colours, 16).flatten(2)
        tints = torch.cat([tints.flatten(1), tints.std(2)], 1)
        found = torch.cat([_edges(grey), tiny, 2 * tints], 1)
        return found.numpy()


def _edges(grey: Tensor) -> Tensor:
    """Histograms of the directions of edges in cells, (n, cells * directions)."""
    padded = functional.pad(grey, (1, 1, 1, 1), mode="replicate")
    across = padded[:, 0, 1:-1, 2:] - padded[:, 0, 1:-1, :-2]
    down = padded[:, 0, 2:, 1:-1] - padded[:, 0, :-2, 1:-1]
    strength = (across.square() + down.square()).sqrt()
    place = torch.atan2(down, across).remainder(math.pi) * (_DIRECTIONS / math.pi)
    lower = place.floor()
    share = place - lower
    count, height, width = strength.shape
    maps = torch.zeros(count, _DIRECTIONS, height, width)
    low = lower.long().remainder(_DIRECTIONS)[:, None]
    maps.scatter_(1, low, (strength * (1 - share))[:, None])
    maps.scatter_add_(1, (low + 1).remainder(_DIRECTIONS), (strength * share)[:, None])
    cells = functional.avg_pool2d(maps, _CELL)
    energy = cells.square().sum(1, keepdim=True)
    around = functional.avg_pool2d(energy, 3, 1, 1, count_include_pad=False)
    return (cells / (around + 1e-4).sqrt()).clamp(max=1.0).flatten(1)
