"""The ways in which a training picture may be shown: cut out at which places, mirrored or not.

A view is a number, so that a frozen network's answer to it can be kept. The network sees each picture in one
view per epoch, drawn by the seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from training_code.config import Config

_STRIDES: Final = (0.7548776662466927, 0.5698402909980532)
"""Of the R2 sequence (Roberts 2018): any first n of its points lie evenly in the unit square."""


@dataclass(frozen=True)
class Views:
    """The views of squares of `spare` pixels more than the network sees."""

    spare: int
    places: int
    mirrored: bool

    @staticmethod
    def of(config: Config, spare: int) -> Views:
        """The views that training draws from, as configured."""
        every = (spare + 1) ** 2
        return Views(spare, min(every, config.crop_places) or every, config.augment in ("flip", "crop-flip"))

    @property
    def count(self) -> int:
        return self.places * (2 if self.mirrored else 1)

    def drawn(self, pictures: int, random: torch.Generator) -> Tensor:
        """A view for each of so many pictures, (pictures,)."""
        return torch.randint(self.count, (pictures,), generator=random)

    def corner(self, place: int) -> tuple[int, int]:
        """Top and left of the `place`-th cut; the first of few is the middle."""
        side = self.spare + 1
        if self.places == side**2:
            return divmod(place, side)
        top, left = (math.floor((0.5 + place * stride) % 1 * side) for stride in _STRIDES)
        return top, left

    def shown(self, squares: Tensor, views: Tensor) -> Tensor:
        """Squares (n, side, side, 3) as seen in `views` (n,): each `spare` pixels smaller."""
        side = squares.shape[1] - self.spare
        places = views % self.places
        if self.spare:
            cut = torch.empty((len(squares), side, side, 3), dtype=squares.dtype)
            for picture, place in enumerate(places.tolist()):
                top, left = self.corner(place)
                cut[picture] = squares[picture, top : top + side, left : left + side]
            squares = cut
        mirrored = views >= self.places
        if mirrored.any():
            squares[mirrored] = squares[mirrored].flip(2)
        return squares


PLAIN: Final = Views(0, 1, False)
"""Of the valid and test pictures: as they are."""
