"""What near duplicates are looked up by: a picture's coarse shapes and colours as a short vector.

The lowest frequencies of a cosine transform change little when a picture is recompressed, resized or cropped
by a tenth. A mirrored picture has the same ones, half of them with the other sign.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor

from doctor.pictures.album import CHROMA, THUMB, Album

_GREY: Final = 8
_COLOUR: Final = 3
_COLOUR_WEIGHT: Final = 2.0
_SOFT: Final = 8.0
"""Grey levels that are added to a picture's contrast: the noise of one without any is not made much of."""
_MARGIN: Final = 0.05
_ROWS: Final = 4096


def descriptors(album: Album, rows: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Of these pictures: as they are, mirrored, and without a margin; (n, d) each."""
    signs = torch.cat([_mirror(_GREY), _mirror(_COLOUR), _mirror(_COLOUR)])
    whole, inner = (_described(album, rows, margin) for margin in (0.0, _MARGIN))
    return whole, whole * signs, inner


def _described(album: Album, rows: Sequence[int], margin: float) -> Tensor:
    grey, colour = _cosines(THUMB, _GREY, margin), _cosines(CHROMA, _COLOUR, margin)
    parts = [torch.empty(0, _GREY**2 + 2 * _COLOUR**2)]
    for start in range(0, len(rows), _ROWS):
        some = rows[start : start + _ROWS]
        levels = torch.from_numpy(album.grey[some]).float()
        low = torch.einsum("ui,nij,vj->nuv", grey, levels, grey)
        low[:, 0, 0] = 0.0
        tint = torch.from_numpy(album.chroma[some]).float() - 128
        tint = _COLOUR_WEIGHT * torch.einsum("ui,nijc,vj->ncuv", colour, tint, colour)
        contrast = levels.flatten(1).std(1) + _SOFT
        parts.append(torch.cat([low.flatten(1), tint.flatten(1)], 1) / contrast[:, None])
    return torch.cat(parts)


def _cosines(size: int, count: int, margin: float) -> Tensor:
    """The first rows of the cosine transform of what is left without a margin on both sides.

    They are scaled so that a flat picture of level 1 has a first value of 1.
    """
    left = size * (1 - 2 * margin)
    place = torch.arange(size) + 0.5 - size * margin
    inside = (torch.minimum(place, left - place) + 0.5).clamp(0, 1)  # a pixel may be half inside
    waves = torch.cos(torch.arange(count)[:, None] * place * math.pi / left) * inside * math.sqrt(2) / left
    waves[0] /= math.sqrt(2)
    return waves


def _mirror(count: int) -> Tensor:
    """What mirroring multiplies each of count x count values by."""
    return (1.0 - 2.0 * (torch.arange(count) % 2)).repeat(count)
