"""One picture: from what `image_file` decodes to the square of pixels that the network sees.

The way is fixed, because serving has to go it too (model.json describes it, `Transform.describe`): a large
JPEG is decoded at 1/2, 1/4 or 1/8 of its size (twice what is needed is kept); the picture is resized with
Pillow's antialiased bilinear filter, the shorter side to 256/224 of the image size, and its centre is cut
out. Pictures smaller than 64 pixels are resized to the square directly: a crop would lose too much of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

_IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
_IMAGENET_STD: Final = (0.229, 0.224, 0.225)
_SMALL: Final = 64
_JPEG_DRAFT: Final = 2
"""How many times the wanted side a JPEG decoded at a fraction of its size still has: Pillow's own choice for
`Image.thumbnail`, which finds the result hard to tell from that of the whole picture."""

_MAX_ELONGATION: Final = 32
"""A longer strip is cut to its middle: its shorter side decides the scale, so it would grow to terabytes."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Transform:
    """How a decoded picture becomes the network's input: resize, centre crop, scale, normalise."""

    resize: int
    exact: bool
    crop: int
    mean: tuple[float, float, float] = _IMAGENET_MEAN
    std: tuple[float, float, float] = _IMAGENET_STD

    @staticmethod
    def of_size(image_size: int) -> Transform:
        """The transform whose result is a square of `image_size` pixels."""
        if image_size < _SMALL:
            return Transform(resize=image_size, exact=True, crop=image_size)
        return Transform(resize=round(image_size * 256 / 224), exact=False, crop=image_size)

    def describe(self) -> dict[str, Any]:
        """The form that model.json keeps for whoever serves the model."""
        return {
            "resize": self.resize,
            "resize_mode": "exact" if self.exact else "shorter",
            "crop": self.crop,
            "jpeg_draft": _JPEG_DRAFT,
            "interpolation": "bilinear",
            "mean": list(self.mean),
            "std": list(self.std),
        }

    @property
    def enough(self) -> int:
        """Pixels of both sides from which on a picture is resized: `decode` need not give more."""
        return _JPEG_DRAFT * self.resize

    def pixels(self, picture: Image.Image) -> Pixels:
        """The square the network is evaluated on: uint8 of shape (crop, crop, 3)."""
        return self._square(picture, self.crop)

    def roomy_pixels(self, picture: Image.Image) -> Pixels:
        """A larger square, (`roomy_side`, `roomy_side`, 3), out of which training cuts at random places.

        Large pictures keep the whole shorter side. Small ones get a margin that mirrors their edge.
        """
        if not self.exact:
            return self._square(picture, self.resize)
        margin = (self.roomy_side - self.crop) // 2
        mirrored = np.pad(np.arange(self.crop), margin, mode="reflect")
        return self.pixels(picture)[mirrored][:, mirrored]

    @property
    def roomy_side(self) -> int:
        """Side of the square that `roomy_pixels` gives."""
        return self.crop + 2 * max(1, self.crop // 8) if self.exact else self.resize

    def _square(self, picture: Image.Image, side: int) -> Pixels:
        if not self.exact:
            picture = _shortened(picture)
        size = self._resized_to(picture.size)
        # Only what the crop will show is computed: the box is the crop, seen in the picture.
        across, down = picture.width / size[0], picture.height / size[1]
        left, top = (round((length - side) / 2) for length in size)
        right = min(picture.width, (left + side) * across)  # never beyond it by a rounding
        bottom = min(picture.height, (top + side) * down)
        box = (left * across, top * down, right, bottom)
        return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR, box), dtype=np.uint8)

    def _resized_to(self, size: tuple[int, int]) -> tuple[int, int]:
        if self.exact:
            return self.resize, self.resize
        width, height = size
        if width <= height:
            return self.resize, int(self.resize * height / width)
        return int(self.resize * width / height), self.resize


def _shortened(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    longest = _MAX_ELONGATION * min(width, height)
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return picture.crop((left, top, left + min(width, longest), top + min(height, longest)))
