"""Laying one thumbnail on another: how the second is cut out of the first, and how well they agree then.

First a few dozen croppings are tried on quarter-size thumbnails, then the best is refined on whole ones by
Gauss-Newton steps (Lucas and Kanade 1981, as in Evangelidis and Psarakis 2008), with scale and shift along
both axes.
"""

from __future__ import annotations

import itertools
from functools import cache
from typing import Final, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

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

    whole: Tensor
    detail: Tensor
    contrast: Tensor
    busy: Tensor
    tint: Tensor
    overlap: Tensor
    scale: Tensor


def agreement(first: Tensor, second: Tensor, tints: tuple[Tensor, Tensor], place: Tensor) -> Agreement:
    """Lay the first of each pair on the second.

    Args:
        first, second: grey levels (n, side, side).
        tints: their colours, (n, 2, side, side).
        place: where to begin, from `cropping`.
    """
    place = _refined(_smooth(first), _smooth(second), place)
    detail_first, detail_second = _detail(first), _detail(second)
    grid = _grid(place, first.shape[-1])
    laid = functional.grid_sample(
        torch.stack([first, detail_first], 1),
        grid,
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )
    valid = (grid.abs() <= 1).all(-1).float()
    tinted = functional.grid_sample(
        tints[0], _grid(place, tints[0].shape[-1]), padding_mode="border", align_corners=False
    )
    whole, contrast = _correlation(laid[:, 0], second, valid)
    detail, busy = _correlation(laid[:, 1], detail_second, valid)
    area = valid.flatten(1).mean(1)
    shown = place[:, 0] * place[:, 1]
    return Agreement(
        whole=whole,
        detail=detail,
        contrast=contrast,
        busy=busy,
        tint=(tinted - tints[1]).abs().flatten(1).mean(1),
        overlap=torch.maximum(area, area * shown),
        scale=torch.minimum(place[:, :2], 1 / place[:, :2]).amin(1),
    )


def _correlation(first: Tensor, second: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Correlation where both are, and the standard deviation of the flatter."""
    weight = valid.flatten(1)
    weight = weight / weight.sum(1, keepdim=True).clamp(min=1)
    one, two = first.flatten(1), second.flatten(1)
    one = one - (one * weight).sum(1, keepdim=True)
    two = two - (two * weight).sum(1, keepdim=True)
    power_one, power_two = (one.square() * weight).sum(1), (two.square() * weight).sum(1)
    shared = (one * two * weight).sum(1)
    return shared / (power_one * power_two).sqrt().clamp(min=1e-6), torch.minimum(power_one, power_two).sqrt()


@cache
def _croppings() -> tuple[Tensor, Tensor, Tensor]:
    """Places to try, (h, 4), the sampling of each along an axis, (h, 2, c, c), and where it is valid."""
    places = [(1.0, 1.0, 0.0, 0.0)]
    for scale in _SCALES:
        room = abs(1 - scale)
        places += [(scale, scale, x * room, y * room) for x, y in itertools.product((-1, 0, 1), repeat=2)]
    tried = torch.tensor(places)
    at = (torch.arange(_COARSE) + 0.5) * 2 / _COARSE - 1
    samples = tried[:, :2, None] * at + tried[:, 2:, None]
    position = (samples + 1) * _COARSE / 2 - 0.5
    weight = (1 - (position[..., None] - torch.arange(_COARSE)).abs()).clamp(min=0)
    inside = (samples.abs() <= 1).float()
    weight = weight / weight.sum(-1, keepdim=True).clamp(min=1e-6)
    return tried, weight, inside


def cropping(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """The best of the croppings for each pair, (n, 4), and the correlation of grey levels then, (n,)."""
    tried, weight, inside = _croppings()
    factor = first.shape[-1] // _COARSE
    one, two = (functional.avg_pool2d(each[:, None], factor)[:, 0] for each in (first, second))
    laid = torch.einsum("hyi,nij,hxj->nhyx", weight[:, 1], one, weight[:, 0])
    mask = inside[:, 1, :, None] * inside[:, 0, None, :]
    mask = (mask / mask.sum((1, 2), keepdim=True)).flatten(1)
    laid, two = laid.flatten(2), two.flatten(1)[:, None]
    mean_laid, mean_two = (laid * mask).sum(2), (two * mask).sum(2)
    power_laid = (laid.square() * mask).sum(2) - mean_laid.square()
    power_two = (two.square() * mask).sum(2) - mean_two.square()
    shared = (laid * two * mask).sum(2) - mean_laid * mean_two
    score = shared / (power_laid.clamp(min=0) * power_two.clamp(min=0)).sqrt().clamp(min=1e-3)
    best = score.max(1)
    return tried[best.indices], best.values


def _refined(first: Tensor, second: Tensor, place: Tensor) -> Tensor:
    """Gauss-Newton on scale, shift, gain and offset."""
    side = first.shape[-1]
    across = functional.pad(first, (1, 1), mode="replicate")
    down = functional.pad(first, (0, 0, 1, 1), mode="replicate")
    slopes = (side / 4) * torch.stack([across[:, :, 2:] - across[:, :, :-2], down[:, 2:] - down[:, :-2]], 1)
    layers = torch.cat([first[:, None], slopes], 1)
    at = (torch.arange(side) + 0.5) * 2 / side - 1
    x, y = at[None, None, :], at[None, :, None]
    best, score = place, torch.full((len(place),), -1.0)
    for step in range(_STEPS + 1):
        grid = _grid(place, side)
        laid = functional.grid_sample(layers, grid, padding_mode="border", align_corners=False)
        valid = (grid.abs() <= 1).all(-1).float()
        found, _ = _correlation(laid[:, 0], second, valid)
        better = found > score
        best, score = torch.where(better[:, None], place, best), torch.where(better, found, score)
        if step == _STEPS:
            break
        slope_x, slope_y = laid[:, 1], laid[:, 2]
        columns = (slope_x * x, slope_y * y, slope_x, slope_y, laid[:, 0], torch.ones_like(slope_x))
        jacobian = torch.stack([(each * valid).flatten(1) for each in columns], 2)
        wanted = (second * valid).flatten(1)[..., None]
        normal = jacobian.transpose(1, 2) @ jacobian
        diagonal = normal.diagonal(dim1=1, dim2=2)
        normal = normal + torch.diag_embed(_DAMPING * diagonal + 1e-3)
        solved = torch.linalg.solve(normal, jacobian.transpose(1, 2) @ wanted)[:, :, 0]
        gain = solved[:, 4:5].clamp(min=0.2)
        place = place + (solved[:, :4] / gain).clamp(-0.1, 0.1)
        place = torch.cat([place[:, :2].clamp(_LEAST_SCALE, _MOST_SCALE), place[:, 2:].clamp(-0.6, 0.6)], 1)
    return best


def _grid(place: Tensor, side: int) -> Tensor:
    """Where in the first each pixel of the second lies, (n, side, side, 2)."""
    at = (torch.arange(side) + 0.5) * 2 / side - 1
    x = place[:, 0:1] * at + place[:, 2:3]
    y = place[:, 1:2] * at + place[:, 3:4]
    return torch.stack([x[:, None, :].expand(-1, side, -1), y[:, :, None].expand(-1, -1, side)], 3)


def _blurred(levels: Tensor, sigma: float) -> Tensor:
    radius = max(1, round(2.5 * sigma))
    kernel = torch.exp(-torch.arange(-radius, radius + 1).float().square() / (2 * sigma**2))
    kernel = kernel / kernel.sum()
    padded = functional.pad(levels[:, None], (radius,) * 4, mode="replicate")
    return functional.conv2d(
        functional.conv2d(padded, kernel[None, None, None]), kernel[None, None, :, None]
    )[:, 0]


def _smooth(levels: Tensor) -> Tensor:
    return _blurred(levels, 0.8)


def _detail(levels: Tensor) -> Tensor:
    return _blurred(levels, 0.8) - _blurred(levels, 2.5)
