"""What near duplicates are looked up by: a picture's coarse shapes and colours as a short vector.

The lowest frequencies of a cosine transform change little when a picture is recompressed, resized or cropped
by a tenth. A mirrored picture has the same ones, half of them with the other sign.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from doctor.pictures.album import CHROMA, THUMB, Album, Floats

_GREY: Final = 8
_COLOUR: Final = 3
_COLOUR_WEIGHT: Final = 2.0
_SOFT: Final = 8.0
"""Grey levels that are added to a picture's contrast: the noise of one without any is not made much of."""
_MARGIN: Final = 0.05
_ROWS: Final = 512


class Descriptors(NamedTuple):
    """Of pictures, (n, d) each."""

    whole: Floats
    mirrored: Floats
    inner: Floats
    """Without a margin."""


def descriptors(album: Album, rows: Sequence[int]) -> Descriptors:
    """What these pictures are looked up by."""
    signs = np.concatenate([_mirror(_GREY), _mirror(_COLOUR), _mirror(_COLOUR)])
    width = len(signs)
    whole, inner = (np.empty((len(rows), width), np.float32) for _ in range(2))
    transforms = [(each, *_transforms(margin)) for each, margin in ((whole, 0.0), (inner, _MARGIN))]
    for start in range(0, len(rows), _ROWS):
        some = slice(start, start + _ROWS)
        levels = album.grey[rows[some]].astype(np.float32).reshape(-1, THUMB * THUMB)
        tints = album.chroma[rows[some]].astype(np.float32).reshape(-1, CHROMA * CHROMA * 2) - 128
        contrast = levels.std(1, ddof=1, keepdims=True) + np.float32(_SOFT)
        for found, grey, colour in transforms:
            found[some] = np.concatenate([levels @ grey, tints @ colour], 1) / contrast
    return Descriptors(whole, whole * signs, inner)


def _transforms(margin: float) -> tuple[Floats, Floats]:
    """What grey levels and colours, (pixels) and (pixels, 2), are multiplied by."""
    grey, colour = _cosines(THUMB, _GREY, margin), _cosines(CHROMA, _COLOUR, margin)
    levels = np.einsum("ui,vj->ijuv", grey, grey).reshape(THUMB * THUMB, -1)
    levels[:, 0] = 0.0  # how light it is says nothing
    tint = np.einsum("ui,vj,cd->ijcduv", colour, colour, np.eye(2)).reshape(CHROMA * CHROMA * 2, -1)
    return levels.astype(np.float32), (_COLOUR_WEIGHT * tint).astype(np.float32)


def _cosines(size: int, count: int, margin: float) -> NDArray[np.float64]:
    """The first rows of the cosine transform of what is left without a margin on both sides.

    They are scaled so that a flat picture of level 1 has a first value of 1.
    """
    left = size * (1 - 2 * margin)
    place = np.arange(size) + 0.5 - size * margin
    inside = (np.minimum(place, left - place) + 0.5).clip(0, 1)  # a pixel may be half inside
    waves: NDArray[np.float64] = (
        np.cos(np.arange(count)[:, None] * place * math.pi / left) * inside * math.sqrt(2) / left
    )
    waves[0] /= math.sqrt(2)
    return waves


def _mirror(count: int) -> Floats:
    """What mirroring multiplies each of count x count values by."""
    return np.tile(1.0 - 2.0 * (np.arange(count) % 2), count).astype(np.float32)
