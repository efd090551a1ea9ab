"""Which pictures teach most if somebody labels them: of every kind that there is one, and it an unsure one.

Pictures are gathered into as many groups as are wanted, by what goes into the network's head (k-means). Of
each group one is asked for that many others are near (Hacohen et al. 2022, Active learning on a budget, arXiv
2202.02794); the less sure an answer is, the more that counts. The least certain ones alone are much alike,
and say the same thing many times: `benchmarks/labeller.py` measures both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Points = NDArray[np.float32]
Rows = NDArray[np.int64]

_LEAST_AMONG: Final = 10
"""So many pictures, the least certain, are looked at for each that is wanted, and more where that takes only
seconds: """
_COMPARED: Final = 20_000_000
"""pictures times groups."""
_MOST_GROUPS: Final = 1000
"""More pictures are several of a group: the time grows with groups and pictures alike."""
_STEPS: Final = 20
_AT_ONCE: Final = 4096
_NEAR: Final = 20
"""Neighbours in its group by which it is told how typical a picture is."""
_MOST_NEAR: Final = 2000
"""Of a group, the pictures among which neighbours are looked for."""
_LEAST: Final = 1e-3
"""How unsure an answer is taken for at least."""
_POWER: Final = 0.5
"""Of how unsure an answer is, beside how typical its picture is."""


@dataclass(frozen=True)
class Group:
    """Pictures that are much alike to the network: the one to ask for first, then those in its place."""

    rows: Rows


def unsure(shares: Floats) -> NDArray[np.float32]:
    """How unsure answers are, (n,), 0 to 1: what the likeliest class is not ahead of the second.

    Args:
        shares: the confidences of both, the likeliest first, (n, 2).
    """
    return np.clip(1 - (shares[:, 0] - shares[:, 1]), _LEAST, 1).astype(np.float32)


def groups(features: NDArray[np.float16], shares: Floats, count: int, seed: int = 0) -> list[Group]:
    """As many groups of pictures as are wanted, as far as there are any; the same for the same pictures.

    Args:
        features: of the pictures, (n, numbers).
        shares: the confidences of their two likeliest classes, the likeliest first, (n, 2).
        count: of the pictures that are wanted.
    """
    doubt = unsure(shares)
    wanted = min(count, _MOST_GROUPS)
    among = max(_LEAST_AMONG * count, _COMPARED // wanted)
    rows = np.sort(np.argsort(-doubt, kind="stable")[:among])
    if not len(rows):
        return []
    points, doubt = _directions(features[rows]), doubt[rows]
    group, far = _gathered(points, wanted, seed)
    order = np.lexsort((far, group))
    parts = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    parts.sort(key=lambda part: -float(doubt[part].sum()))
    return [Group(rows[part[_telling_first(points[part], doubt[part])]]) for part in parts]


def in_turn(found: list[Group]) -> Iterator[tuple[int, int]]:
    """The group and the row of all pictures: the first of each group, then the second of each, and so on."""
    for place in range(max((len(each.rows) for each in found), default=0)):
        for number, each in enumerate(found):
            if place < len(each.rows):
                yield number, int(each.rows[place])


def _directions(features: NDArray[np.float16]) -> Points:
    """Features around their mean, each of length 1: how strong a picture's are says nothing of its class."""
    points = features.astype(np.float32)
    points -= points.mean(0)
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), np.float32(1e-12))
    return points


def _gathered(points: Points, count: int, seed: int) -> tuple[Rows, Points]:
    """The group of each point, by k-means, and how far it is from its middle (as `_nearest` has it)."""
    middles = _apart(points, count, seed)
    for _ in range(_STEPS):
        group, _ = _nearest(points, middles)
        moved = _means(points, group, middles)
        if np.allclose(moved, middles, atol=1e-5):
            break
        middles = moved
    return _nearest(points, middles)


def _apart(points: Points, count: int, seed: int) -> Points:
    """Points to begin with, far from each other (k-means++, Arthur and Vassilvitskii 2007), (<= count, d)."""
    random = np.random.default_rng(seed)
    chosen = [int(random.integers(len(points)))]
    far = _far(points, points[chosen[0]])
    while len(chosen) < count:
        chance = np.cumsum(far, dtype=np.float64)
        if chance[-1] <= 0:
            break  # all that is left is a copy of one that is chosen
        row = min(int(np.searchsorted(chance, random.random() * chance[-1], "right")), len(points) - 1)
        chosen.append(row)
        far = np.minimum(far, _far(points, points[row]))
    return points[chosen]


def _far(points: Points, point: Points) -> Points:
    """Square distances."""
    far: Points = np.maximum(2 - 2 * (points @ point), 0)
    return far


def _nearest(points: Points, middles: Points) -> tuple[Rows, Points]:
    """Of each point the nearest middle, and how far that is, squared but for what is the same for all."""
    lengths = (middles * middles).sum(1)
    group, far = np.empty(len(points), np.int64), np.empty(len(points), np.float32)
    for start in range(0, len(points), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        apart = lengths - 2 * (points[some] @ middles.T)
        group[some], far[some] = apart.argmin(1), apart.min(1)
    return group, far


def _means(points: Points, group: Rows, before: Points) -> Points:
    """The mean of each group; one that lost all its points stays where it was."""
    order = np.argsort(group, kind="stable")
    there, first = np.unique(group[order], return_index=True)
    means = before.copy()
    sums = np.add.reduceat(points[order], first)
    means[there] = sums / np.diff([*first, len(group)])[:, None]
    return means


def _telling_first(points: Points, doubt: NDArray[np.float32]) -> Rows:
    """The places of a group's points, those first that are typical of it and unsure.

    Args:
        points: nearest to the group's middle first.
    """
    among = points[:_MOST_NEAR]
    near = min(_NEAR, len(among) - 1)
    if not near:
        return np.zeros(len(points), np.int64)
    apart = np.empty(len(points), np.float32)
    for start in range(0, len(points), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        far = np.sqrt(np.maximum(2 - 2 * (points[some] @ among.T), 0))
        # The nearest is most often the point itself.
        apart[some] = np.partition(far, near, axis=1)[:, : near + 1].sum(1) / near
    return np.argsort(apart / doubt**_POWER, kind="stable")
