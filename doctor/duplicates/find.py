"""All duplicates of a data set: looked up by descriptors, confirmed by laying one on the other."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from doctor.duplicates.alignment import Agreement, agreement, cropping
from doctor.duplicates.candidates import Rows, pairs
from doctor.duplicates.descriptors import descriptors
from doctor.pictures.album import Album, Floats

_LIKELY: Final = 0.85
"""Correlation of quarter-size thumbnails from which it is worth to refine how they lie."""
_PAIRS: Final = 128
_SAMPLE: Final = 1000
"""Known pictures that are looked at beside new ones, to see how much alike the data set's pictures are."""

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


def find(
    album: Album, jobs: int = 1, on_step: Callable[[], None] = lambda: None, known: Iterable[str] = ()
) -> Duplicates:
    """Find the duplicates in an album.

    Args:
        jobs: how many cores to use.
        known: contents among which near duplicates were looked for before; only those that have something
            to do with others are wanted.
    """
    by_content: dict[str, list[int]] = defaultdict(list)
    for row, content in enumerate(album.sha256):
        by_content[content].append(row)
    exact = [rows for rows in by_content.values() if len(rows) > 1]
    near = _near(album, [rows[0] for rows in by_content.values()], set(known), jobs)
    on_step()
    links = [(rows[0], row) for rows in exact for row in rows[1:]]
    links += [(pair.first, pair.second) for pair in near]
    return Duplicates(exact, near, grouped(len(album), links))


def _near(album: Album, rows: Sequence[int], known: set[str], jobs: int) -> list[Pair]:
    """The near duplicates among these pictures."""
    count = len(rows)
    asked, new = _asked([album.sha256[row] not in known for row in rows])
    if count < 2 or not new.any():
        return []
    there = np.array(rows, np.int64)
    candidates = pairs(descriptors(album, rows), asked, jobs)
    parts = [candidates[start : start + _PAIRS] for start in range(0, len(candidates), _PAIRS)]
    with ThreadPoolExecutor(jobs) as pool:
        aligned = [each for each in pool.map(lambda part: _aligned(album, there, part), parts) if each]
    if not aligned:
        return []
    laid = np.concatenate([each for each, _ in aligned])
    found = Agreement(*np.concatenate([np.stack(each) for _, each in aligned], axis=1))
    far = 1 - found.detail
    alike = (
        (found.whole >= _LEAST_WHOLE)
        & (found.contrast >= _LEAST_CONTRAST)
        & (found.busy >= _LEAST_BUSY)
        & (found.tint <= _MOST_TINT)
        & (found.overlap >= _LEAST_OVERLAP)
        & (found.scale >= _LEAST_SCALE)
    )
    limit = _limit(_closest(laid, np.where(alike, far, np.float32(1)), count)[asked], count)
    kept = alike & (far <= limit) & (new[laid[:, 0]] | new[laid[:, 1]])
    return [
        Pair(rows[first], rows[second], score, bool(mirrored), scale)
        for (first, second, mirrored), score, scale in zip(
            laid[kept].tolist(), found.detail[kept].tolist(), found.scale[kept].tolist(), strict=True
        )
    ]


def _asked(new: Sequence[bool]) -> tuple[Rows, NDArray[np.bool_]]:
    """The rows whose neighbours are looked for, and which rows are new.

    Beside the new ones some of the others are, from which it is seen how near neighbours are in this data
    set; where most are new, all are.
    """
    news = np.array(new, bool)
    others = np.flatnonzero(~news)
    some = others[:: len(others) // _SAMPLE + 1]
    asked = np.sort(np.concatenate([np.flatnonzero(news), some]))
    return (asked if 2 * len(asked) < len(new) else np.arange(len(new))), news


def _aligned(album: Album, rows: Rows, candidates: Rows) -> tuple[Rows, Agreement] | None:
    """The pairs that agree roughly, and how well they do."""
    grey_one, grey_two = (_levels(album.grey, rows[candidates[:, side]]) for side in (0, 1))
    grey_two = _turned(grey_two, candidates[:, 2])
    place, likely = cropping(grey_one, grey_two)
    kept = likely >= _LIKELY
    if not kept.any():
        return None
    laid = candidates[kept]
    tint_one, tint_two = (
        np.ascontiguousarray(_levels(album.chroma, rows[laid[:, side]]).transpose(0, 3, 1, 2))
        for side in (0, 1)
    )
    tints = tint_one, _turned(tint_two, laid[:, 2])
    return laid, agreement(grey_one[kept], grey_two[kept], tints, place[kept])


def _levels(values: NDArray[np.uint8], rows: Rows) -> Floats:
    return values[rows].astype(np.float32)


def _turned(pictures: Floats, mirrored: Rows) -> Floats:
    which = mirrored.astype(bool)
    pictures[which] = pictures[which][..., ::-1]
    return pictures


def _closest(laid: Rows, far: Floats, count: int) -> Floats:
    """How far each picture is from what is nearest to it; 1 where nothing is near."""
    closest = np.ones(count, np.float32)
    for side in (0, 1):
        np.minimum.at(closest, laid[:, side], far)
    return closest


def _limit(closest: Floats, count: int) -> float:
    """How much a copy may differ in this data set.

    Where different pictures are much alike, as digits are, less is a sign of a copy than among photographs.
    How many pairs there are below a small difference grows with a power of it, which is read off the
    differences between each picture and its nearest; extrapolated to where half a pair is to be expected.

    Args:
        closest: of some pictures the difference from their nearest.
        count: of all pictures.
    """
    share = 0.15
    low, middle = (max(1e-6, float(np.quantile(closest, each))) for each in (share, 0.5))
    if low >= 1.0:
        return _POSSIBLE
    power = min(20.0, max(1.0, math.log(0.5 / share) / max(1e-6, math.log(middle / low))))
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
