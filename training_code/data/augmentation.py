"""The ways in which a training picture may be varied: cropped at which places, mirrored or not.

A variant is a number, so that a frozen network's answer to it can be kept. The network sees each picture in
one variant per epoch, drawn by the seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from training_code.config import Config
from training_code.data.decoded_images import PictureDecoder

_STRIDES: Final = (0.7548776662466927, 0.5698402909980532)
"""Of the R2 sequence (Roberts 2018): any first n of its points lie evenly in the unit square."""


@dataclass(frozen=True)
class Augmentation:
    """The variants of squares of `spare` pixels more than the network sees."""

    spare: int = 0
    places: int = 1
    mirrored: bool = False

    @staticmethod
    def of(config: Config, split: str) -> Augmentation:
        """What training draws from, as configured; valid and test pictures stay as they are."""
        if split != "train":
            return Augmentation()
        decoder = PictureDecoder.of(config, split)
        spare = decoder.side - decoder.transform.crop
        every = (spare + 1) ** 2
        places = min(every, config.crop_places) or every
        return Augmentation(spare, places, config.augment in ("flip", "crop-flip"))

    @property
    def count(self) -> int:
        """How many variants there are."""
        return self.places * (2 if self.mirrored else 1)

    def draw(self, pictures: int, random: torch.Generator) -> Tensor:
        """A variant for each of so many pictures, (pictures,)."""
        return torch.randint(self.count, (pictures,), generator=random)

    def corner(self, place: int) -> tuple[int, int]:
        """Top and left of the `place`-th crop; the first of few is the middle."""
        side = self.spare + 1
        if self.places == side**2:
            return divmod(place, side)
        top, left = (math.floor((0.5 + place * stride) % 1 * side) for stride in _STRIDES)
        return top, left

    def apply(self, squares: Tensor, variants: Tensor) -> Tensor:
        """Squares (n, side, side, 3) in these `variants` (n,): each `spare` pixels smaller."""
        side = squares.shape[1] - self.spare
        places = variants % self.places
        if self.spare:
            crops = torch.empty((len(squares), side, side, 3), dtype=squares.dtype)
            for picture, place in enumerate(places.tolist()):
                top, left = self.corner(place)
                crops[picture] = squares[picture, top : top + side, left : left + side]
            squares = crops
        mirrored = variants >= self.places
        if mirrored.any():
            squares[mirrored] = squares[mirrored].flip(2)
        return squares
