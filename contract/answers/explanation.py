"""Where in a picture a class was seen: the class activation map of a network whose head is pooled and linear.

Such a network takes the mean of its last feature map over all places, and a linear layer makes scores of it.
The same layer at one place tells what that place adds to each score (Zhou et al. 2016, arXiv 1512.04150).
Standard library and numpy.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]

NOT_POOLED: Final = "head_not_pooled"
"""Classes are not told by a mean over places: a transformer's class token."""
NOT_LINEAR: Final = "head_not_linear"
"""Between the mean and the scores is more than one linear layer, so no place has a share of its own."""
ONE_PLACE: Final = "one_place"
"""The last feature map is one place: the pictures are too small for this network."""

WORDS: Final = {
    NOT_POOLED: "this network does not tell classes by a mean over places",
    NOT_LINEAR: "between the mean over places and the classes this network has more than one linear layer",
    ONE_PLACE: "this network sees a picture of this size as one place",
}
"""What each means, for people."""


class NotExplained(Exception):
    """There is no map of this network.

    Attributes:
        code: one of `WORDS`.
    """

    def __init__(self, code: str) -> None:
        super().__init__(WORDS[code])
        self.code = code


def where(by_place: Floats, index: int) -> NDArray[np.float64]:
    """Where a class was seen: (height, width), from 0 to 1 at the place that speaks most for it.

    A place counts by how much more it adds to the class's score than to the mean of all scores: what it adds
    to all of them alike tells none from the others. Places that speak against the class are 0.

    Args:
        by_place: what each place adds to each score, (height, width, classes).
        index: the class.
    """
    exact = by_place.astype(np.float64)
    own: NDArray[np.float64] = np.maximum(exact[..., index] - exact.mean(-1), 0)
    most = float(own.max())
    return own / most if most > 0 else own
