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
_GREY: Final = np.full(3, 1 / 3, np.float32)
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
    side = square.shape[0]
    step = max(1, side // LINES)
    lines = square[0 : side - 1 : step, :, :3].astype(np.float32)
    below = square[1:side:step, :, :3].astype(np.float32)
    pixels = lines.reshape(-1, 3)
    mean = np.ones(len(pixels), np.float32) @ pixels / len(pixels)  # a tenth of the time of `mean(0)`
    around = pixels - mean
    cov = (around.T @ around) / len(pixels)
    grey = lines @ _GREY
    patches = grey[:, : side // step * step].reshape(len(grey), -1, step).sum(2) / step
    red, green, blue, mixed = cov[0, 0], cov[1, 1], cov[2, 2], cov[0, 1]
    variances = (
        red, green, blue,
        red + green - 2 * mixed,
        (red + green + 2 * mixed) / 4 + blue - cov[0, 2] - cov[1, 2],
    )  # fmt: skip
    differences = (
        grey[:, 1:] - grey[:, :-1],
        below - lines,
        patches[:, 1:] - patches[:, :-1],
        patches[1:] - patches[:-1],
    )
    spread = [*np.sqrt(np.maximum(variances, 0)), *map(_mean_size, differences)]
    shades = np.bincount((grey * (_SHADES / 255.01)).astype(np.intp).ravel(), minlength=_SHADES) / grey.size
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
