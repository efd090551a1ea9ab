"""TrivialAugment (arXiv 2103.10158): one operation, drawn evenly, of a strength drawn evenly."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from PIL import Image, ImageEnhance, ImageOps

_STRENGTHS: Final = 31
_SHEAR: Final = 0.99
_MOVE: Final = 32 / 224
"""Of a side."""
_TURN: Final = 135.0
"""Degrees."""
_ENHANCE: Final = 0.99
_LEAST_BITS: Final = 2

_Operation = Callable[[Image.Image, float], Image.Image]
"""Of a picture and a strength from -1 to 1; those without a direction take its size."""


def changed(picture: Image.Image, random: Random) -> Image.Image:
    """The picture after an operation, of its size."""
    operation = _OPERATIONS[int(random.random() * len(_OPERATIONS))]
    strength = int(random.random() * _STRENGTHS) / (_STRENGTHS - 1)
    return operation(picture, strength if random.random() < 0.5 else -strength)


def _affine(
    picture: Image.Image, across: tuple[float, float, float], down: tuple[float, float, float]
) -> Image.Image:
    return picture.transform(
        picture.size, Image.Transform.AFFINE, (*across, *down), Image.Resampling.BILINEAR
    )


def _sheared_across(picture: Image.Image, strength: float) -> Image.Image:
    slope = _SHEAR * strength
    return _affine(picture, (1, slope, -slope * picture.height / 2), (0, 1, 0))


def _sheared_down(picture: Image.Image, strength: float) -> Image.Image:
    slope = _SHEAR * strength
    return _affine(picture, (1, 0, 0), (slope, 1, -slope * picture.width / 2))


def _moved_across(picture: Image.Image, strength: float) -> Image.Image:
    return _affine(picture, (1, 0, _MOVE * strength * picture.width), (0, 1, 0))


def _moved_down(picture: Image.Image, strength: float) -> Image.Image:
    return _affine(picture, (1, 0, 0), (0, 1, _MOVE * strength * picture.height))


def _turned(picture: Image.Image, strength: float) -> Image.Image:
    return picture.rotate(_TURN * strength, Image.Resampling.BILINEAR)


def _with_fewer_bits(picture: Image.Image, strength: float) -> Image.Image:
    return ImageOps.posterize(picture, 8 - round((8 - _LEAST_BITS) * abs(strength)))


def _solarized(picture: Image.Image, strength: float) -> Image.Image:
    return ImageOps.solarize(picture, round(255 * (1 - abs(strength))))


def _enhanced(kind: Callable[[Image.Image], ImageEnhance._Enhance]) -> _Operation:
    return lambda picture, strength: kind(picture).enhance(1 + _ENHANCE * strength)


_OPERATIONS: Final[tuple[_Operation, ...]] = (
    lambda picture, _: picture,
    _sheared_across,
    _sheared_down,
    _moved_across,
    _moved_down,
    _turned,
    _enhanced(ImageEnhance.Brightness),
    _enhanced(ImageEnhance.Color),
    _enhanced(ImageEnhance.Contrast),
    _enhanced(ImageEnhance.Sharpness),
    _with_fewer_bits,
    _solarized,
    lambda picture, _: ImageOps.autocontrast(picture),
    lambda picture, _: ImageOps.equalize(picture),
)
