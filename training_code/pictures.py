"""One picture: from the bytes of a file to the square of pixels that the network sees.

The way is fixed, because serving has to go it too (model.json describes it, `Transform.describe`): Pillow
decodes the first frame, a large JPEG at 1/2, 1/4 or 1/8 of its size (twice what is needed is kept); EXIF
orientation is applied; the picture becomes RGB with 8 bits per channel (16-bit grey keeps its high byte, what
is see-through is laid on white); it is resized with Pillow's antialiased bilinear filter, the shorter side to
256/224 of the image size, and its centre is cut out. Pictures smaller than 64 pixels are resized to the
square directly: a crop would lose too much of them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import (  # noqa: F401  (importing a plugin registers its format)
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    MpoImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

_FORMATS: Final = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")
"""Decoders that may touch a file; an MPO is opened as a JPEG."""

_JPEG_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"})
SUFFIXES: Final = _JPEG_SUFFIXES | {".png", ".apng", ".gif", ".bmp", ".dib", ".webp", ".tif", ".tiff"}
"""How the name of a picture file ends; other files in a class folder are left alone."""

MAX_PIXELS: Final = 89_478_485
"""Pillow's own bound for what is probably a decompression bomb: a quarter of a gigabyte in RGB."""

_IMAGENET_MEAN: Final = (0.485, 0.456, 0.406)
_IMAGENET_STD: Final = (0.229, 0.224, 0.225)
_SMALL: Final = 64
_JPEG_DRAFT: Final = 2
"""How many times the wanted side a JPEG decoded at a fraction of its size still has: Pillow's own choice for
`Image.thumbnail`, which finds the result hard to tell from that of the whole picture."""

_MAX_ELONGATION: Final = 32
"""A longer strip is cut to its middle: its shorter side decides the scale, so it would grow to terabytes."""

_LFS_POINTER: Final = b"version https://git-lfs"

Pixels = NDArray[np.uint8]


class UndecodablePicture(Exception):
    """These bytes are no picture that can be used; the message says why."""


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


def decode(content: bytes, enough: int | None = None) -> Image.Image:
    """The picture in these bytes: upright, RGB, 8 bits per channel.

    Args:
        content: of a file.
        enough: a JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as neither side gets shorter than
            this. None: at its full size.

    Raises:
        UndecodablePicture: not a picture of an allowed format, damaged, or of too many pixels.
    """
    if content.startswith(_LFS_POINTER):
        raise UndecodablePicture("a Git LFS pointer, not the picture itself (fetch it with: git lfs pull)")
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise UndecodablePicture(f"{opened.width}x{opened.height} pixels are more than {MAX_PIXELS}")
            if enough is not None:
                opened.draft(None, (enough, enough))
            opened.load()
            return _rgb(_upright(opened))
    except UndecodablePicture:
        raise
    except Exception as error:  # a decoder fed with damaged bytes raises nearly anything
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UndecodablePicture(reason.replace(f" {_address_in(reason)}", "")) from None


def _upright(picture: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(picture)
    except Exception:  # an unreadable EXIF block says nothing about the pixels
        return picture


def _rgb(picture: Image.Image) -> Image.Image:
    if picture.mode in ("I", "F"):
        raise UndecodablePicture(f"pixels of 32 bits (mode {picture.mode}) have no defined brightness")
    if picture.mode.startswith("I;16"):
        picture = _eight_bits(picture)
    if picture.has_transparency_data:
        drawn = picture.convert("RGBA")
        white = Image.new("RGBA", drawn.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, drawn).convert("RGB")
    return picture.convert("RGB")


def _eight_bits(picture: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey, with an alpha channel if one of its values stands for transparent."""
    samples = np.asarray(picture).astype(np.uint16)
    grey = Image.fromarray((samples >> 8).astype(np.uint8))
    see_through = picture.info.get("transparency")
    if isinstance(see_through, int):
        grey.putalpha(Image.fromarray(np.where(samples == see_through, 0, 255).astype(np.uint8)))
    return grey


def _shortened(picture: Image.Image) -> Image.Image:
    width, height = picture.size
    longest = _MAX_ELONGATION * min(width, height)
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return picture.crop((left, top, left + min(width, longest), top + min(height, longest)))


def _address_in(message: str) -> str:
    """Pillow names the in-memory file by its address, which would differ from run to run."""
    start = message.find("<_io.BytesIO")
    return message[start : message.find(">", start) + 1] if start >= 0 else "\0"
