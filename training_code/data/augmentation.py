"""The ways in which a training picture may be varied: cropped at which places, changed, mirrored or not.

A variant is a number that tells all that is done to a picture, so frozen stages' answers to it can be kept.
The network sees each picture in one variant per epoch, drawn by the seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training_code.config import Config
from training_code.data import trivial
from training_code.data.decoded_images import PictureDecoder

_STRIDES: Final = (0.7548776662466927, 0.5698402909980532)
"""Of the R2 sequence (Roberts 2018): any first n of its points lie evenly in the unit square."""


_DRAWN: Final = ("random-resized-crop", "trivial")
_ENDLESS: Final = 2**30
"""Places of what is drawn anew for each picture."""

_CROPPED: Final = ((0.25, 1.0), (3 / 4, 4 / 3))
"""The share of the square that a crop of random size is, and its width to its height."""

_ERASED: Final = ((0.02, 1 / 3), (0.3, 10 / 3))
"""The same of what is painted over (arXiv 1708.04896)."""


@dataclass(frozen=True)
class Augmentation:
    """The variants of squares of `spare` pixels more than the network sees."""

    spare: int = 0
    places: int = 1
    mirrored: bool = False
    kind: str = ""
    """What else is done: "random-resized-crop", "trivial" or nothing."""
    erasing: float = 0.0
    """How probable it is that a rectangle is painted over."""

    @staticmethod
    def of(config: Config, split: str) -> Augmentation:
        """What training draws from, as configured; valid and test pictures stay as they are."""
        if split != "train":
            return Augmentation()
        decoder = PictureDecoder.of(config, split)
        spare = decoder.side - decoder.transform.crop
        mirrored = config.augment not in ("none", "crop")
        if config.augment in _DRAWN or config.random_erasing:
            kind = config.augment if config.augment in _DRAWN else ""
            return Augmentation(
                spare, config.crop_places or _ENDLESS, mirrored, kind, erasing=config.random_erasing
            )
        every = (spare + 1) ** 2
        places = min(every, config.crop_places) or every
        return Augmentation(spare, places, mirrored)

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
        if self.kind or self.erasing:
            squares = torch.stack(
                [self._drawn(each, place, side) for each, place in zip(squares, places.tolist(), strict=True)]
            )
        elif self.spare:
            crops = torch.empty((len(squares), side, side, 3), dtype=squares.dtype)
            for picture, place in enumerate(places.tolist()):
                top, left = self.corner(place)
                crops[picture] = squares[picture, top : top + side, left : left + side]
            squares = crops
        mirrored = variants >= self.places
        if mirrored.any():
            squares[mirrored] = squares[mirrored].flip(2)
        return squares

    def _drawn(self, square: Tensor, place: int, side: int) -> Tensor:
        """One square with all that is drawn for this place: (side, side, 3). The first is the middle."""
        if place == 0:
            start = self.spare // 2
            return square[start : start + side, start : start + side]
        random = Random(place)  # noqa: S311 (repeatable on purpose)
        if self.kind == "random-resized-crop":
            whole = square.shape[0]
            top, left, height, width = _rectangle(random, whole, *_CROPPED)
            picture = Image.fromarray(square.numpy())
            box = (left, top, left + width, top + height)
            square = _tensor(picture.resize((side, side), Image.Resampling.BILINEAR, box))
        else:
            top, left = (math.floor(random.random() * (self.spare + 1)) for _ in range(2))
            square = square[top : top + side, left : left + side]
        if self.kind == "trivial":
            picture = Image.fromarray(square.contiguous().numpy())
            square = _tensor(trivial.changed(picture, random))
        if random.random() < self.erasing:
            top, left, height, width = _rectangle(random, side, *_ERASED)
            colour = square.float().mean((0, 1)).to(square.dtype)
            square = square.clone()
            square[top : top + height, left : left + width] = colour
        return square


def _rectangle(
    random: Random, side: int, share: tuple[float, float], ratio: tuple[float, float]
) -> tuple[int, int, int, int]:
    """Top, left, height and width of one in a square: its share of it and its shape lie in these bounds."""
    area = (share[0] + random.random() * (share[1] - share[0])) * side**2
    low, high = map(math.log, ratio)
    stretched = math.exp(low + random.random() * (high - low))
    squared = (area * stretched, area / stretched)
    width, height = (min(side, max(1, round(math.sqrt(each)))) for each in squared)
    top, left = (math.floor(random.random() * (side - each + 1)) for each in (height, width))
    return top, left, height, width


def _tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture))
