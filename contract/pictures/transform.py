"""The evaluation transform: from a decoded picture to the square that the network sees.

Training evaluates by it, serving answers by it, and model.json keeps it (`Transform.describe`). Size, filter,
crop, mean and deviation are the network's own, as its publisher evaluates it (contract/networks.csv). A large
JPEG is decoded at 1/2, 1/4 or 1/8 of its size, twice what is needed being kept. The picture is resized with
Pillow's antialiased filter, of a ResNet bilinear and the shorter side to 256/224 of the image size, and its
centre is cut out. Pictures for networks of less than 64 pixels are resized to the square: a crop would lose
too much.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contract import artifact, networks

MAX_ELONGATION: Final = 32
"""A longer strip is cut to its middle: its shorter side decides the scale, so it would grow to terabytes."""

_IMAGENET_MEAN, _IMAGENET_STD = networks.COLOURS["imagenet"]
_SMALL: Final = 64
_FILTERS: Final = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}
INTERPOLATIONS: Final = tuple(_FILTERS)
_JPEG_DRAFT: Final = 2
"""How many times the wanted side a JPEG decoded at a fraction of its size still has: Pillow's own choice for
`Image.thumbnail`, which finds the result hard to tell from that of the whole picture."""

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of a picture."""


@dataclass(frozen=True)
class Transform:
    """How a decoded picture becomes the network's input: resize, centre crop, scale, normalise.

    Attributes:
        resize: pixels of the shorter side (mode `shorter`) or of both sides (mode `exact`).
        resize_mode: whether the proportions are kept.
        crop: pixels of the side of the centre square that the network sees.
        mean: per channel, subtracted after scaling to 0..1.
        std: per channel, divided by.
        interpolation: the filter that resizes, one of `INTERPOLATIONS`.
        jpeg_draft: a JPEG may be decoded smaller as long as both its sides keep this many times `resize`.
            None: models from before there was this.
    """

    resize: int
    resize_mode: Literal["shorter", "exact"]
    crop: int
    mean: tuple[float, float, float] = _IMAGENET_MEAN
    std: tuple[float, float, float] = _IMAGENET_STD
    jpeg_draft: int | None = _JPEG_DRAFT
    interpolation: str = "bilinear"

    @staticmethod
    def of(arch: str, image_size: int) -> Transform:
        """A network's own transform, whose result is a square of `image_size` pixels.

        Raises:
            KeyError: there is no such network.
        """
        own = networks.backbone(arch)
        mean, std = networks.COLOURS[own.colours]
        mode: Literal["shorter", "exact"] = "exact" if image_size < _SMALL or not own.crop else "shorter"
        share = own.crop if mode == "shorter" else 1.0
        # timm rounds down; a ResNet's has always been rounded to the nearest.
        resize = round(image_size / share) if own.name in networks.BLOCKS else int(image_size / share)
        return Transform(resize, mode, image_size, mean, std, interpolation=own.interpolation)

    @staticmethod
    def of_size(image_size: int) -> Transform:
        """A ResNet's transform."""
        return Transform.of("resnet18", image_size)

    def describe(self) -> artifact.Transform:
        """The form that model.json keeps for whoever serves the model."""
        return {
            "resize": self.resize,
            "resize_mode": self.resize_mode,
            "crop": self.crop,
            "jpeg_draft": self.jpeg_draft,
            "interpolation": self.interpolation,
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @property
    def enough(self) -> int | None:
        """Pixels of both sides that a decoded picture has to have at least; None: all there are."""
        return None if self.jpeg_draft is None else self.jpeg_draft * self.resize

    def pixels(self, picture: Image.Image) -> Pixels:
        """The square that the network is evaluated on: uint8 of shape (crop, crop, 3)."""
        return np.asarray(self.square(picture, self.crop))

    def square(self, picture: Image.Image, side: int) -> Image.Image:
        """The centre of the resized picture, `side` pixels wide and high."""
        if self.resize_mode == "shorter":
            picture = _shortened(picture)
        return picture.resize((side, side), _FILTERS[self.interpolation], self._box(picture.size, side))

    def seen(self, size: tuple[int, int]) -> Box:
        """The part of a picture that the network sees: left, top, right and bottom, each a share of the
        picture's width or height.

        Args:
            size: width and height of the upright picture.
        """
        width, height = size
        left, top, right, bottom = (0, 0, width, height)
        if self.resize_mode == "shorter":
            left, top, right, bottom = _middle(size)
        inner = self._box((right - left, bottom - top), self.crop)
        return (
            (left + inner[0]) / width,
            (top + inner[1]) / height,
            (left + inner[2]) / width,
            (top + inner[3]) / height,
        )

    def _box(self, size: tuple[int, int], side: int) -> Box:
        """The crop, seen in a picture of this width and height: only what it will show is computed."""
        resized = self._resized(size)
        across, down = size[0] / resized[0], size[1] / resized[1]
        left, top = (round((length - side) / 2) for length in resized)
        right = min(size[0], (left + side) * across)  # never beyond it by a rounding
        bottom = min(size[1], (top + side) * down)
        return left * across, top * down, right, bottom

    def normalised(self, pixels: Pixels) -> NDArray[np.float32]:
        """The square as a batch of one, float32 of shape (1, 3, crop, crop); a fourth channel is left out."""
        batch = np.empty((1, 3, self.crop, self.crop), np.float32)
        for channel in range(3):
            np.take(self._values[channel], pixels[:, :, channel], out=batch[0, channel])
        return batch

    @cached_property
    def _values(self) -> NDArray[np.float32]:
        """What each of the 256 values of each channel becomes, shape (3, 256): exact, and one look-up."""
        scaled = np.arange(256, dtype=np.float32) / np.float32(255)
        mean, std = (np.array(values, np.float32)[:, None] for values in (self.mean, self.std))
        return (scaled - mean) / std

    def _resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """The picture's size after resizing, with torchvision's rounding."""
        if self.resize_mode == "exact":
            return self.resize, self.resize
        width, height = size
        if width <= height:
            return self.resize, int(self.resize * height / width)
        return int(self.resize * width / height), self.resize


def _shortened(picture: Image.Image) -> Image.Image:
    """The middle of a picture that is longer than MAX_ELONGATION times its shorter side."""
    middle = _middle(picture.size)
    return picture if middle == (0, 0, *picture.size) else picture.crop(middle)


def _middle(size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of that middle."""
    width, height = size
    longest = MAX_ELONGATION * min(width, height)
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return left, top, left + min(width, longest), top + min(height, longest)
