"""All duplicates of a data set: looked up by descriptors, confirmed by laying one on the other."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from doctor.duplicates.alignment import Agreement, agreement, cropping
from doctor.duplicates.descriptors import descriptors
from doctor.neighbours import nearest
from doctor.pictures.album import Album

_NEIGHBOURS: Final = 10
_FARTHEST: Final = 0.6
"""Between descriptors; of 400 planted duplicates the farthest was 0.58."""
_NEAREST_FARTHEST: Final = 0.8
"""The same for a picture's nearest, which may be busier than photographs are."""
_LOOKED_AT: Final = 4
"""Neighbours of a picture that are laid on it."""
_LIKELY: Final = 0.85
"""Correlation of quarter-size thumbnails from which it is worth to refine how they lie."""
_PAIRS: Final = 512

_LEAST_WHOLE: Final = 0.94
_LEAST_CONTRAST: Final = 4.0
_LEAST_BUSY: Final = 1.5
"""Flatter pictures have nothing to be recognised by, and agree by accident."""
_MOST_TINT: Final = 7.0
_LEAST_OVERLAP: Final = 0.9
_LEAST_SCALE: Final = 0.72
_SURE: Final = 0.013
"""A difference in detail (1 - correlation) that only a copy has: two different digits of one writer differ by
0.018 at least, recompressed and resized copies by less than 0.013."""
_POSSIBLE: Final = 0.08
"""The largest difference in detail of a copy; two different photographs hardly ever come below it."""
_BY_ACCIDENT: Final = 0.5
"""How many pairs of a data set may look like copies without being any."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two pictures of which one is a copy of the other.

    Attributes:
        first, second: rows of the album.
        score: 0 to 1, how well they agree.
        mirrored: whether left and right are changed.
        scale: how much of the one the other shows along its shorter side.
    """

    first: int
    second: int
    score: float
    mirrored: bool
    scale: float


@dataclass(frozen=True)
class Duplicates:
    """What was found.

    Attributes:
        exact: rows of pictures with the same content, two and more each.
        near: pairs of different content; of exact duplicates only the first is in any.
        group: (n,) for each picture the first of all that are the same as it, directly or by others.
    """

    exact: list[list[int]]
    near: list[Pair]
    group: NDArray[np.int64]


def find(album: Album, on_step: Callable[[], None] = lambda: None) -> Duplicates:
    """Find the duplicates in an album."""
    by_content: dict[str, list[int]] = defaultdict(list)
    for row, content in enumerate(album.sha256):
        by_content[content].append(row)
    exact = [rows for rows in by_content.values() if len(rows) > 1]
    near = _near(album, [rows[0] for rows in by_content.values()])
    on_step()
    links = [(rows[0], row) for rows in exact for row in rows[1:]]
    links += [(pair.first, pair.second) for pair in near]
    return Duplicates(exact, near, grouped(len(album), links))


def _near(album: Album, rows: Sequence[int]) -> list[Pair]:
    """The near duplicates among these pictures."""
    if len(rows) < 2:
        return []
    there = torch.tensor(rows)
    candidates = [
        (pair, found) for pairs in _candidates(album, rows) for pair, found in _aligned(album, there, pairs)
    ]
    if not candidates:
        return []
    found = Agreement(*torch.stack([each for _, each in candidates]).T)
    pairs = torch.stack([pair for pair, _ in candidates])
    far = 1 - found.detail
    alike = (
        (found.whole >= _LEAST_WHOLE)
        & (found.contrast >= _LEAST_CONTRAST)
        & (found.busy >= _LEAST_BUSY)
        & (found.tint <= _MOST_TINT)
        & (found.overlap >= _LEAST_OVERLAP)
        & (found.scale >= _LEAST_SCALE)
    )
    kept = alike & (far <= _limit(pairs, torch.where(alike, far, 1.0), len(rows)))
    return [
        Pair(rows[first], rows[second], score, bool(mirrored), scale)
        for (first, second, mirrored), score, scale in zip(
            pairs[kept].tolist(), found.detail[kept].tolist(), found.scale[kept].tolist(), strict=True
        )
    ]


def _candidates(album: Album, rows: Sequence[int]) -> Iterator[Tensor]:
    """Pairs worth a look, (n, 3): two places in `rows`, and whether the second is to be mirrored."""
    count = len(rows)
    whole, mirrored, inner = descriptors(album, rows)
    near = nearest(torch.cat([whole, mirrored, inner]), _NEIGHBOURS)
    seen: set[tuple[int, int]] = set()
    batch: list[tuple[int, int, int]] = []
    for first in range(count):
        looked = 0
        places, distances = near.index[first].tolist(), near.distance[first].tolist()
        for place, distance in zip(places, distances, strict=True):
            second, kind = place % count, place // count
            farthest = _FARTHEST if looked else _NEAREST_FARTHEST
            if place < 0 or distance > farthest or looked == _LOOKED_AT:
                break
            pair = (min(first, second), max(first, second))
            if first == second:
                continue
            looked += 1
            if pair not in seen:
                seen.add(pair)
                batch.append((*pair, int(kind == 1)))
        if len(batch) >= _PAIRS:
            yield torch.tensor(batch)
            batch = []
    if batch:
        yield torch.tensor(batch)


def _aligned(album: Album, rows: Tensor, pairs: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The pairs that agree roughly, each with its Agreement as one tensor."""
    grey_one, grey_two = (_levels(album.grey, rows[pairs[:, side]]) for side in (0, 1))
    grey_two = _turned(grey_two, pairs[:, 2])
    place, likely = cropping(grey_one, grey_two)
    kept = likely >= _LIKELY
    if not kept.any():
        return
    pairs = pairs[kept]
    tint_one, tint_two = (_levels(album.chroma, rows[pairs[:, side]]).permute(0, 3, 1, 2) for side in (0, 1))
    found = agreement(grey_one[kept], grey_two[kept], (tint_one, _turned(tint_two, pairs[:, 2])), place[kept])
    yield from zip(pairs, torch.stack(found, 1), strict=True)


def _levels(values: NDArray[np.uint8], rows: Tensor) -> Tensor:
    return torch.from_numpy(values[rows.numpy()]).float()


def _turned(pictures: Tensor, mirrored: Tensor) -> Tensor:
    which = mirrored.bool().view(-1, *[1] * (pictures.dim() - 1))
    return torch.where(which, pictures.flip(-1), pictures)


def _limit(pairs: Tensor, far: Tensor, count: int) -> float:
    """How much a copy may differ in this data set.

    Where different pictures are much alike, as digits are, less is a sign of a copy than among photographs.
    How many pairs there are below a small difference grows with a power of it, which is read off the
    differences between each picture and its nearest; extrapolated to where half a pair is to be expected.
    """
    closest = torch.ones(count)
    for side in (0, 1):
        closest.scatter_reduce_(0, pairs[:, side], far, "amin")
    share = 0.15
    low, middle = float(closest.quantile(share)), float(closest.quantile(0.5))
    if low >= 1.0:
        return _POSSIBLE
    power = min(20.0, max(1.0, math.log(0.5 / share) / max(1e-6, math.log(middle / max(low, 1e-6)))))
    limit = float(low * (_BY_ACCIDENT / (share * count)) ** (1 / power))
    return min(_POSSIBLE, max(_SURE, limit))


def grouped(count: int, links: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Of each of `count` rows the first that it is linked to, directly or by others."""
    parent = list(range(count))

    def root(row: int) -> int:
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    for first, second in links:
        one, two = root(first), root(second)
        parent[max(one, two)] = min(one, two)
    return np.array([root(row) for row in range(count)], np.int64)
