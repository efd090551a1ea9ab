"""Laying one thumbnail on another: how the second is cut out of the first, and how well they agree then.

First a few dozen croppings are tried on quarter-size thumbnails, then the best is refined on whole ones by
Gauss-Newton steps (Lucas and Kanade 1981, as in Evangelidis and Psarakis 2008), with scale and shift along
both axes. Both axes are sampled apart, so that laying is two products of small matrices.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_SCALES: Final = (0.9, 0.8, 1 / 0.9, 1 / 0.8)
_COARSE: Final = 16
_STEPS: Final = 5
_LEAST_SCALE, _MOST_SCALE = 0.65, 1.55
_DAMPING: Final = 1e-3


class Agreement(NamedTuple):
    """How well pairs of thumbnails agree where one lies on the other; all of shape (n,).

    Attributes:
        whole: correlation of grey levels.
        detail: correlation of what is finer than a few pixels and coarser than one.
        contrast: standard deviation of the levels, of the flatter of the two.
        busy: the same of the detail.
        tint: mean difference of colour.
        overlap: share of the smaller picture that lies on the other.
        scale: how much of the longer side of the one the other shows, at most 1.
    """

    whole: Floats
    detail: Floats
    contrast: Floats
    busy: Floats
    tint: Floats
    overlap: Floats
    scale: Floats


def agreement(first: Floats, second: Floats, tints: tuple[Floats, Floats], place: Floats) -> Agreement:
    """Lay the first of each pair on the second.

    Args:
        first, second: grey levels (n, side, side).
        tints: their colours, (n, 2, side, side).
        place: where to begin, from `cropping`.
    """
    place = _refined(_smooth(first), _smooth(second), place)
    detail_first, detail_second = _detail(first), _detail(second)
    sampled = _Sampling(place, first.shape[-1])
    laid = sampled.of(np.stack([first, detail_first], 1))
    tinted = _Sampling(place, tints[0].shape[-1]).of(tints[0])
    whole, contrast = _correlation(laid[:, 0], second, sampled.valid)
    detail, busy = _correlation(laid[:, 1], detail_second, sampled.valid)
    area = sampled.valid.mean((1, 2))
    shown = place[:, 0] * place[:, 1]
    return Agreement(
        whole=whole,
        detail=detail,
        contrast=contrast,
        busy=busy,
        tint=np.abs(tinted - tints[1]).mean((1, 2, 3)),
        overlap=np.maximum(area, area * shown),
        scale=np.minimum(place[:, :2], 1 / place[:, :2]).min(1),
    )


class _Sampling:
    """How the firsts of pairs are seen from where the seconds' pixels lie on them.

    Attributes:
        x, y: along each axis the place of each of the second's pixels on the first, (n, side); -1 to 1 is on
        it.
        valid: (n, side, side), 1 where a pixel of the second lies on the first, else 0.
    """

    def __init__(self, place: Floats, side: int) -> None:
        at = _middles(side)
        self.x, self.y = (place[:, axis, None] * at + place[:, axis + 2, None] for axis in (0, 1))
        inside = [(np.abs(each) <= 1).astype(np.float32) for each in (self.y, self.x)]
        self.valid: Floats = inside[0][:, :, None] * inside[1][:, None, :]
        self._across = _interpolation(self.x, side).transpose(0, 2, 1)
        self._down = _interpolation(self.y, side)

    def of(self, layers: Floats) -> Floats:
        """The firsts' layers (n, layers, side, side) at the seconds' pixels; beyond the border as on it."""
        count, depth, side, _ = layers.shape
        wide = (layers.reshape(count, depth * side, side) @ self._across).reshape(layers.shape)
        laid: Floats = self._down[:, None] @ wide
        return laid


def _middles(side: int) -> Floats:
    """Of the pixels along an axis that goes from -1 to 1."""
    return ((np.arange(side, dtype=np.float32) + 0.5) * 2 / side - 1).astype(np.float32)


def _interpolation(samples: Floats, side: int) -> Floats:
    """What each of `side` pixels counts for at each sample along an axis, (..., samples, side)."""
    position = ((samples + 1) * (side / 2) - 0.5).clip(0, side - 1)
    apart = np.abs(position[..., None] - np.arange(side, dtype=np.float32))
    weights: Floats = np.maximum(np.float32(1) - apart, np.float32(0))
    return weights


def _correlation(first: Floats, second: Floats, valid: Floats) -> tuple[Floats, Floats]:
    """Correlation where both are, and the standard deviation of the flatter; all (n, side, side)."""
    count = len(first)
    weight, one, two = (each.reshape(count, -1) for each in (valid, first, second))
    weight = weight / np.maximum(weight.sum(1, keepdims=True), 1)
    one = one - np.einsum("np,np->n", one, weight)[:, None]
    two = two - np.einsum("np,np->n", two, weight)[:, None]
    weighed = one * weight
    power_one, shared = np.einsum("np,np->n", weighed, one), np.einsum("np,np->n", weighed, two)
    power_two = np.einsum("np,np,np->n", two, two, weight)
    flatter = np.sqrt(np.minimum(power_one, power_two))
    return shared / np.maximum(np.sqrt(power_one * power_two), np.float32(1e-6)), flatter


@cache
def _croppings() -> tuple[Floats, Floats, Floats]:
    """Places to try, (h, 4), the sampling of each along an axis, (h, 2, c, c), and where it is valid."""
    places = [(1.0, 1.0, 0.0, 0.0)]
    for scale in _SCALES:
        room = abs(1 - scale)
        places += [(scale, scale, x * room, y * room) for x, y in itertools.product((-1, 0, 1), repeat=2)]
    tried = np.array(places, np.float32)
    samples = tried[:, :2, None] * _middles(_COARSE) + tried[:, 2:, None]
    position = (samples + 1) * (_COARSE / 2) - 0.5
    apart = np.abs(position[..., None] - np.arange(_COARSE, dtype=np.float32))
    weight = np.maximum(np.float32(1) - apart, np.float32(0))
    inside = (np.abs(samples) <= 1).astype(np.float32)
    return tried, weight / np.maximum(weight.sum(-1, keepdims=True), np.float32(1e-6)), inside


@cache
def _tried() -> tuple[Floats, Floats, Floats]:
    """All croppings as one product: (c * c, h * c * c) of samples, the weights of their pixels (h, c * c),
    and the places.
    """
    places, weight, inside = _croppings()
    product = np.einsum("hyi,hxj->ijhyx", weight[:, 1], weight[:, 0])
    mask = inside[:, 1, :, None] * inside[:, 0, None, :]
    mask = (mask / mask.sum((1, 2), keepdims=True)).reshape(len(places), -1)
    return np.ascontiguousarray(product.reshape(_COARSE**2, -1)), mask, places


def cropping(first: Floats, second: Floats) -> tuple[Floats, Floats]:
    """The best of the croppings for each pair, (n, 4), and the correlation of grey levels then, (n,)."""
    product, mask, places = _tried()
    one, two = (_reduced(each).reshape(len(each), -1) for each in (first, second))
    laid = (one @ product).reshape(len(one), len(places), -1)
    mean_laid, mean_two = np.einsum("nhp,hp->nh", laid, mask), two @ mask.T
    power_laid = np.einsum("nhp,nhp,hp->nh", laid, laid, mask) - np.square(mean_laid)
    power_two = np.square(two) @ mask.T - np.square(mean_two)
    shared = np.einsum("nhp,np,hp->nh", laid, two, mask) - mean_laid * mean_two
    power = np.sqrt(np.maximum(power_laid, 0) * np.maximum(power_two, 0))
    score = shared / np.maximum(power, np.float32(1e-3))
    best = score.argmax(1)
    return places[best], score[np.arange(len(best)), best]


def _reduced(levels: Floats) -> Floats:
    """Quarter-size thumbnails, or how much smaller they are."""
    count, side, _ = levels.shape
    factor = side // _COARSE
    reduced: Floats = levels.reshape(count, _COARSE, factor, _COARSE, factor).mean((2, 4))
    return reduced


def _refined(first: Floats, second: Floats, place: Floats) -> Floats:
    """Gauss-Newton on scale, shift, gain and offset."""
    count, side, _ = first.shape
    padded = np.pad(first, ((0, 0), (1, 1), (1, 1)), mode="edge")
    across, down = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2], padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    layers = np.stack([first, across * np.float32(side / 4), down * np.float32(side / 4)], 1)
    x, y = _middles(side)[None, None, :], _middles(side)[None, :, None]
    best, score = place, -np.ones_like(place[:, 0])
    columns = np.empty((count, 6, side, side), np.float32)
    for step in range(_STEPS + 1):
        sampled = _Sampling(place, side)
        laid = sampled.of(layers)
        found, _ = _correlation(laid[:, 0], second, sampled.valid)
        better = found > score
        best, score = np.where(better[:, None], place, best), np.where(better, found, score)
        if step == _STEPS:
            break
        slopes = laid[:, 1:] * sampled.valid[:, None]
        columns[:, 0], columns[:, 1], columns[:, 2:4] = slopes[:, 0] * x, slopes[:, 1] * y, slopes
        columns[:, 4], columns[:, 5] = laid[:, 0] * sampled.valid, sampled.valid
        jacobian = columns.reshape(count, 6, -1)
        # 0 and 1 are their own squares: the mask that is in the columns need not be in `second`.
        wanted = jacobian @ second.reshape(count, -1, 1)
        normal = jacobian @ jacobian.transpose(0, 2, 1)
        diagonal = np.einsum("nii->ni", normal)
        diagonal += _DAMPING * diagonal + np.float32(1e-3)
        solved = np.linalg.solve(normal, wanted)[:, :, 0]
        gain = np.maximum(solved[:, 4:5], np.float32(0.2))
        place = place + (solved[:, :4] / gain).clip(-0.1, 0.1)
        place[:, :2] = place[:, :2].clip(_LEAST_SCALE, _MOST_SCALE)
        place[:, 2:] = place[:, 2:].clip(-0.6, 0.6)
    return best


@cache
def _blur(side: int, sigma: float) -> Floats:
    """What blurring along an axis multiplies by, (side, side); beyond the border is as on it."""
    radius = max(1, round(2.5 * sigma))
    offsets = np.arange(-radius, radius + 1)
    kernel = np.exp(-np.square(offsets) / (2 * sigma**2))
    kernel /= kernel.sum()
    matrix = np.zeros((side, side))
    for offset, weight in zip(offsets, kernel, strict=True):
        np.add.at(matrix, (np.arange(side), (np.arange(side) + offset).clip(0, side - 1)), weight)
    return matrix.astype(np.float32)


def _blurred(levels: Floats, sigma: float) -> Floats:
    matrix = _blur(levels.shape[-1], sigma)
    blurred: Floats = np.matmul(matrix @ levels, matrix.T, dtype=np.float32)
    return blurred


def _smooth(levels: Floats) -> Floats:
    return _blurred(levels, 0.8)


def _detail(levels: Floats) -> Floats:
    return _blurred(levels, 0.8) - _blurred(levels, 2.5)
