"""Which pairs of pictures are worth laying on each other: those whose descriptors are near.

Up to some tens of thousands of pictures every one is compared with every other, which is exact and takes
seconds; beyond, an index finds most of what is near at a cost that grows near-linearly.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from doctor.duplicates.descriptors import Descriptors
from doctor.pictures.album import Floats

_NEIGHBOURS: Final = 10
_FARTHEST: Final = 0.6
"""Between descriptors; of 400 planted duplicates the farthest was 0.58."""
_NEAREST_FARTHEST: Final = 0.8
"""The same for a picture's nearest, which may be busier than photographs are."""
_LOOKED_AT: Final = 4
"""Neighbours of a picture that are laid on it."""
_COMPARED: Final = 40_000**2
"""Comparisons up to which all are made: half a minute."""
_ROWS: Final = 128
_LANES: Final = 64
"""Parts of a picture's distances, of each of which the least is looked at first."""

Rows = NDArray[np.int64]


def pairs(found: Descriptors, asked: Rows, jobs: int = 1) -> Rows:
    """Pairs worth a look, (n, 3): two rows, the lesser first, and whether the second is to be mirrored.

    Args:
        asked: the rows of which pairs are wanted.
        jobs: how many cores to use.
    """
    count = len(found.whole)
    near = _compared(found, asked, jobs) if len(asked) * count <= _COMPARED else _indexed(found)
    near = near.chosen(np.flatnonzero(near.first != near.second))
    near = near.chosen(np.lexsort((near.distance, near.first)))
    near = near.chosen(np.sort(np.unique(near.first * count + near.second, return_index=True)[1]))
    rank = np.arange(len(near.first)) - np.searchsorted(near.first, near.first)
    farthest = np.where(rank, _FARTHEST, _NEAREST_FARTHEST)
    near = near.chosen(np.flatnonzero((rank < _LOOKED_AT) & (near.distance <= farthest)))
    near = near.chosen(np.argsort(near.distance, kind="stable"))
    lesser, greater = np.minimum(near.first, near.second), np.maximum(near.first, near.second)
    once = np.unique(lesser * count + greater, return_index=True)[1]
    return np.stack([lesser[once], greater[once], near.mirrored[once].astype(np.int64)], axis=1)


class _Near(NamedTuple):
    """Which rows are near which; all of shape (n,)."""

    first: Rows
    second: Rows
    mirrored: NDArray[np.bool_]
    distance: Floats

    def chosen(self, which: Rows) -> _Near:
        return _Near(self.first[which], self.second[which], self.mirrored[which], self.distance[which])


def _compared(found: Descriptors, asked: Rows, jobs: int) -> _Near:
    """The nearest of all rows to each that is asked for."""
    odd = (found.whole != found.mirrored).any(0)
    neither = np.zeros_like(odd)
    near = [
        _nearest(found.whole[asked], asked, found.whole, odd, jobs),
        _nearest(found.whole[asked], asked, found.inner, neither, jobs),
    ]
    if len(asked) < len(found.whole):
        # One that is not asked for may be without a margin what one is that is.
        near.append(_nearest(found.inner[asked], asked, found.whole, neither, jobs))
    return _Near(*(np.concatenate(each) for each in zip(*near, strict=True)))


def _nearest(points: Floats, rows: Rows, others: Floats, odd: NDArray[np.bool_], jobs: int) -> _Near:
    """The nearest of others to each point, as far as they are near at all.

    A square distance is one product of the two with what they lack appended. Of two pictures one may be
    mirrored, which turns the odd part of the product around: the nearer way is taken.

    Args:
        rows: which of the others each point is itself.
        odd: which numbers have the other sign in a mirrored picture; none to leave pictures as they are.
    """
    width = -(-len(others) // _LANES)
    right = np.zeros((width * _LANES, len(odd) + 2), np.float32)
    right[: len(others), :-2] = -2 * others
    right[: len(others), -2] = np.square(others).sum(1)
    right[len(others) :, -2] = np.inf
    right[:, -1] = 1
    ones = np.ones((len(points), 1), np.float32)
    left = np.concatenate([points, ones, np.square(points).sum(1, keepdims=True)], 1)
    turned = np.append(odd, [False, False])
    even_left, odd_left = left[:, ~turned], left[:, turned]
    even_right, odd_right = (np.ascontiguousarray(right[:, each].T) for each in (~turned, turned))

    def near(start: int) -> _Near:
        some = slice(start, start + _ROWS)
        names = rows[some]
        square = even_left[some] @ even_right
        if odd.any():
            product = odd_left[some] @ odd_right
            square -= np.abs(product, out=product)
        square[np.arange(len(names)), names] = np.inf
        row, place, distance = _least(square.reshape(len(names), _LANES, width))
        product_of = np.einsum("nd,nd->n", points[row + start][:, odd], others[place][:, odd])
        return _Near(names[row], place, product_of < 0, distance)

    with ThreadPoolExecutor(jobs) as pool:
        found = list(pool.map(near, range(0, len(points), _ROWS)))
    return _Near(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _least(square: Floats) -> tuple[Rows, Rows, Floats]:
    """Where the least of each row's square distances (rows, lanes, width) are: row, column and distance."""
    least = square.min(2)
    # The tenth of the lanes' least is no nearer than the tenth nearest.
    enough = np.partition(least, _NEIGHBOURS - 1, axis=1)[:, _NEIGHBOURS - 1]
    enough = np.minimum(enough, np.float32(_NEAREST_FARTHEST**2))
    row, lane = np.nonzero(least <= enough[:, None])
    among = square[row, lane]
    which, within = np.nonzero(among <= enough[row][:, None])
    distance = np.sqrt(np.maximum(among[which, within], 0))
    return row[which], lane[which] * square.shape[2] + within, distance


def _indexed(found: Descriptors) -> _Near:
    """The same for all rows, most of it."""
    import torch  # takes seconds to load, which a small folder need not wait for

    from doctor.neighbours import nearest

    near = nearest(torch.from_numpy(np.concatenate(found)), _NEIGHBOURS)
    count = len(found.whole)
    index, distance = near.index[:count].numpy(), near.distance[:count].numpy()
    row, rank = np.nonzero((index >= 0) & (distance <= _NEAREST_FARTHEST))
    place = index[row, rank]
    return _Near(row, place % count, place // count == 1, distance[row, rank])
