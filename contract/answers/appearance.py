"""How a picture looks before any network sees it: its colours, its contrast, how much detail it has.

A network that has seen one kind of picture only may make of noise, or of a photograph, what it makes of its
classes; these few numbers tell such pictures at once. They tell kinds of pictures, not what is in them: for
that `contract.answers.confidence.Likeness` has the network's own features. Standard library and numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

LINES: Final = 16
"""About so many lines of pixels are looked at: more told no better, and each costs every request time."""
_SHADES: Final = 8
NUMBERS: Final = 3 + 9 + _SHADES
"""How many describe a picture."""
_TO_SHADE: Final = np.float32(_SHADES / 255.01)
_GREY: Final = np.array([1 / 3, 1 / 3, 1 / 3, 0], np.float32)
_MIDDLE: Final = np.float32(127.5)
_DARK: Final = 0.01
"""Of full brightness; what differs by less is alike. It keeps logarithms and rare colours in bounds."""


def described(square: NDArray[np.uint8]) -> NDArray[np.float32]:
    """What a picture looks like, in `NUMBERS` numbers.

    The mean of each colour; the logarithms of the deviations of red, green, blue, red - green and
    yellow - blue, and of the mean differences to the next pixel, the next line, the next patch and the next
    patch below; the square roots of the shares of eight shades of grey.

    Args:
        square: its pixels, (side, side, 3 or 4); the fourth channel is not looked at.
    """
    side, _, channels = square.shape
    step = max(1, side // LINES)
    # Whole lines are read, fourth channel and all, and products do the sums: half the time of the plain way.
    lines, below = (square[first:end:step].astype(np.float32) for first, end in ((0, side - 1), (1, side)))
    pixels = lines.reshape(-1, channels)
    ones, count = np.ones(len(pixels), np.float32), len(pixels)
    mean = (ones @ pixels)[:3] / count
    moved = pixels - _MIDDLE  # squares of small numbers keep more of their digits
    cov = (np.ascontiguousarray(moved.T) @ moved)[:3, :3] / count - np.outer(mean - _MIDDLE, mean - _MIDDLE)
    grey = (pixels @ _GREY[:channels]).reshape(lines.shape[:2])
    whole = grey[:, : side // step * step].reshape(-1, step)
    patches = (whole @ np.full(step, 1 / step, np.float32)).reshape(len(grey), -1)
    red, green, blue, mixed = cov[0, 0], cov[1, 1], cov[2, 2], cov[0, 1]
    variances = (
        red, green, blue,
        red + green - 2 * mixed,
        (red + green + 2 * mixed) / 4 + blue - cov[0, 2] - cov[1, 2],
    )  # fmt: skip
    differences = (
        _mean_size(grey[:, 1:] - grey[:, :-1]),
        float((ones @ np.abs(below - lines).reshape(-1, channels))[:3].sum()) / (3 * count),
        _mean_size(patches[:, 1:] - patches[:, :-1]),
        _mean_size(patches[1:] - patches[:-1]),
    )
    spread = [*np.sqrt(np.maximum(variances, 0)), *differences]
    shades = np.bincount((grey * _TO_SHADE).astype(np.uint8).ravel(), minlength=_SHADES) / grey.size
    found: NDArray[np.float32] = np.concatenate(
        [mean / 255, np.log(np.array(spread) / 255 + _DARK), np.sqrt(shades)]
    ).astype(np.float32)
    return found


def _mean_size(values: Floats) -> float:
    return float(np.abs(values).sum()) / max(1, values.size)


@dataclass(frozen=True)
class Appearance:
    """What training pictures look like: a Mahalanobis distance around their mean.

    Attributes:
        centre: their mean, (NUMBERS,).
        stretch: what differences from it are multiplied by, (NUMBERS, NUMBERS).
        reach: how far nearly all training pictures lie at most.
    """

    centre: Floats
    stretch: Floats
    reach: float

    def beyond(self, looks: Floats) -> NDArray[np.float32]:
        """How many times the reach pictures (n, NUMBERS) lie beyond it; 0 for those within."""
        stretched = (looks - self.centre) @ self.stretch
        far: NDArray[np.float32] = np.sqrt((stretched * stretched).sum(1)) / self.reach - 1
        return np.maximum(far, 0)
