"""Nearest neighbours by an index, at a cost that grows near-linearly: never all pairs.

A forest of random-projection trees (Dasgupta and Freund 2008) splits the points at the median of a direction
between two of them until few are left, which are compared with each other. Then each point meets the
neighbours of its neighbours once (Dong et al. 2011), which finds most of what the trees have cut apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

_LEAF: Final = 48
_CHUNK: Final = 1 << 22
"""Numbers that are worked on at once."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """Of each point the nearest others, nearest first; where there are too few, -1 at infinity."""

    index: Tensor
    """(n, k), int64."""
    distance: Tensor
    """(n, k), float32, Euclidean."""


def nearest(points: Tensor, k: int, trees: int = 8, seed: int = 0) -> Neighbours:
    """The k nearest other points of each, most of them.

    Args:
        points: (n, d), float32.
        trees: more find more.
    """
    count = len(points)
    random = torch.Generator().manual_seed(seed)
    best = Neighbours(torch.full((count, k), -1), torch.full((count, k), math.inf))
    if count < 2:
        return best
    squares = points.square().sum(1)
    for _ in range(trees):
        leaves = _leaves(points, random)
        for part in _parts(leaves, leaves.shape[1] * max(points.shape[1], leaves.shape[1])):
            _compare(points, squares, part, best)
        if len(leaves) == 1:
            break
    _refine(points, squares, best)
    best.distance.sqrt_()
    return best


def _parts(rows: Tensor, numbers: int) -> Iterator[Tensor]:
    """The rows in parts that can be worked on at once, when each takes so many numbers."""
    step = max(1, _CHUNK // numbers)
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def _leaves(points: Tensor, random: torch.Generator) -> Tensor:
    """The points' indices as (leaves, size); some stand in two places so that all leaves are of one size."""
    count = len(points)
    levels = max(0, math.ceil(math.log2(count / _LEAF)))
    size = -(-count // (1 << levels))
    order = torch.randperm(count, generator=random)
    order = torch.cat([order, order[: size * (1 << levels) - count]])
    for level in range(levels):
        groups = order.view(1 << level, -1)
        width = groups.shape[1]
        ends = groups.gather(1, torch.randint(width, (len(groups), 2), generator=random))
        direction = points[ends[:, 0]] - points[ends[:, 1]]
        direction += 1e-6 * torch.randn(direction.shape, generator=random)
        order = groups.gather(1, _along(points, groups, direction).argsort(1)).flatten()
    return order.view(1 << levels, size)


def _along(points: Tensor, groups: Tensor, direction: Tensor) -> Tensor:
    """How far along its group's direction each point lies."""
    found = torch.empty(groups.shape)
    rows = max(1, _CHUNK // points.shape[1])
    if groups.shape[1] <= rows:
        step = max(1, rows // groups.shape[1])
        for start in range(0, len(groups), step):
            part = slice(start, start + step)
            found[part] = torch.bmm(points[groups[part]], direction[part, :, None])[:, :, 0]
    else:
        for number, group in enumerate(groups):
            for start in range(0, len(group), rows):
                part = slice(start, start + rows)
                found[number, part] = points[group[part]] @ direction[number]
    return found


def _compare(points: Tensor, squares: Tensor, leaves: Tensor, best: Neighbours) -> None:
    """Compare all points of each leaf with each other."""
    inside = points[leaves]
    length = squares[leaves]
    apart = length[:, :, None] + length[:, None, :] - 2 * torch.bmm(inside, inside.transpose(1, 2))
    apart.masked_fill_(leaves[:, :, None] == leaves[:, None, :], math.inf)
    near = apart.topk(min(best.index.shape[1], leaves.shape[1]), dim=2, largest=False)
    rows = leaves.flatten()
    ids = leaves[:, None, :].expand_as(apart).gather(2, near.indices).flatten(0, 1)
    _merge(best, rows, ids, near.values.flatten(0, 1))


def _refine(points: Tensor, squares: Tensor, best: Neighbours) -> None:
    """Let each point meet the neighbours of its nearest ones."""
    near = best.index[:, : min(8, best.index.shape[1])]
    before = near.clamp(min=0)
    width = near.shape[1] ** 2
    for rows in _parts(torch.arange(len(points)), width * points.shape[1]):
        ids = before[before[rows]].flatten(1)
        apart = squares[rows, None] + squares[ids]
        apart -= 2 * torch.bmm(points[ids], points[rows, :, None])[:, :, 0]
        apart.masked_fill_(ids == rows[:, None], math.inf)
        _merge(best, rows, ids, apart)


def _merge(best: Neighbours, rows: Tensor, ids: Tensor, apart: Tensor) -> None:
    """Keep the nearest of what was known and what is new, each point once."""
    ids = torch.cat([best.index[rows], ids], 1)
    apart = torch.cat([best.distance[rows], apart.clamp(min=0)], 1)
    ids, order = ids.sort(1)
    apart = apart.gather(1, order)
    again = torch.zeros_like(ids, dtype=torch.bool)
    again[:, 1:] = ids[:, 1:] == ids[:, :-1]
    apart.masked_fill_(again, math.inf)
    near = apart.topk(best.index.shape[1], dim=1, largest=False)
    best.distance[rows] = near.values
    best.index[rows] = ids.gather(1, near.indices).masked_fill(near.values.isinf(), -1)
