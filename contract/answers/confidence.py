"""From a network's class scores to the confidence that is answered, and how like a picture is to training's.

One arithmetic for training, which chooses its numbers, and serving, which answers by them. Rows are pictures,
and none has a part in another's answer. Standard library and numpy.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.answers.appearance import NUMBERS, Appearance

Floats = NDArray[np.floating[Any]]

EDGE: Final = 1e-12
"""How near to 0 and 1 a probability may come before its odds are taken."""


@dataclass(frozen=True)
class Confidence:
    """How scores become shares: softmax(scores / temperature + offsets), its odds to the power of `slope`.

    Attributes:
        temperature: above 1 makes answers less sure (Guo et al. 2017, arXiv 1706.04599).
        slope: 0 to 1, of the first class's log odds; what label smoothing leaves needs it. At most 1, so that
            the first class stays the first.
        offsets: of each class, (classes,): what weighing rare classes in the loss added, taken back.
    """

    temperature: float = 1.0
    slope: float = 1.0
    offsets: Floats | None = None

    def shares(self, scores: Floats) -> NDArray[np.float64]:
        """Probabilities (n, classes) of scores (n, classes); the highest score's is the confidence."""
        logits = scores.astype(np.float64) / self.temperature
        if self.offsets is not None:
            logits += self.offsets
        logits -= logits.max(1, keepdims=True)
        shares: NDArray[np.float64] = np.exp(logits)
        shares /= shares.sum(1, keepdims=True)
        if self.slope == 1:
            return shares
        rows, first = np.arange(len(scores)), scores.argmax(1)
        before = shares[rows, first]
        after = sloped(before, self.slope)
        shares *= ((1 - after) / np.maximum(1 - before, EDGE))[:, None]
        shares[rows, first] = after
        return shares

    def first(self, scores: Floats) -> NDArray[np.float64]:
        """The confidence (n,): the share of the class with the highest score."""
        confidence: NDArray[np.float64] = self.shares(scores)[np.arange(len(scores)), scores.argmax(1)]
        return confidence


def sloped(confidence: Floats, slope: float) -> NDArray[np.float64]:
    """Probabilities (n,) whose log odds are multiplied by `slope`."""
    inside = np.clip(confidence.astype(np.float64), EDGE, 1 - EDGE)
    odds: NDArray[np.float64] = np.exp(slope * (np.log(inside) - np.log1p(-inside)))
    return odds / (1 + odds)


@dataclass(frozen=True)
class Likeness:
    """How like a picture is to the training pictures of some class, by what goes into the network's head.

    The cosine between the picture and the nearest class mean, around the mean of all, in directions that are
    stretched until training pictures vary alike in each. What lies outside the kept directions counts as
    unlike. Scores alone cannot tell: they say which class is nearest, not whether any is near. A picture that
    looks like no training picture loses as much as it lies beyond their reach.

    Attributes:
        centre: the mean of all training pictures' features, (features,).
        directions: those in which they vary most, orthonormal, (features, kept).
        scales: what each is stretched by, (kept,).
        outside: what the squared length of the rest is multiplied by.
        means: of each class, stretched, of length 1, (classes, kept).
        appearance: what training pictures look like; None in models of before there was this.
    """

    centre: Floats
    directions: Floats
    scales: Floats
    outside: float
    means: Floats
    appearance: Appearance | None = None

    def of(self, features: Floats, looks: Floats | None = None) -> NDArray[np.float32]:
        """The likeness, at most 1, of pictures with these features (n, features) and looks (n, NUMBERS)."""
        around = features.astype(np.float32) - self.centre
        along = around @ self.directions
        rest = np.maximum((around * around).sum(1) - (along * along).sum(1), 0)
        stretched = along * self.scales
        length = np.sqrt((stretched * stretched).sum(1) + rest * self.outside)
        nearest: NDArray[np.float32] = (stretched @ self.means.T).max(1) / np.maximum(length, 1e-12)
        if self.appearance is None or looks is None or not looks.size:
            return nearest
        return nearest - self.appearance.beyond(looks)

    def write(self, path: Path) -> None:
        """Write the arrays, as numpy does."""
        looks = self.appearance
        arrays: dict[str, Any] = {} if looks is None else {
            "looks_centre": looks.centre,
            "looks_stretch": looks.stretch,
            "looks_reach": np.float32(looks.reach),
        }  # fmt: skip
        with path.open("wb") as file:
            np.savez(
                file,
                centre=self.centre,
                directions=self.directions,
                scales=self.scales,
                outside=np.float32(self.outside),
                means=self.means,
                **arrays,
            )

    @staticmethod
    def read(path: Path, classes: int) -> Likeness:
        """Of a file that `write` left; nothing in it is run.

        Raises:
            OSError: it cannot be read.
            ValueError: it is not such a file, or of another number of classes.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays: dict[str, Any] = {name: np.asarray(file[name], np.float32) for name in file.files}
            looks = None
            if "looks_reach" in arrays:
                centre, stretch, reach = (
                    arrays.pop(f"looks_{each}") for each in ("centre", "stretch", "reach")
                )
                looks = Appearance(centre, stretch, float(reach))
            outside = float(arrays.pop("outside"))
            found = Likeness(outside=outside, appearance=looks, **arrays)
        except OSError:
            raise
        except Exception as error:  # numpy's and zipfile's many
            raise ValueError(f"it is no file of likeness: {type(error).__name__}") from None
        kept = len(found.scales)
        shapes = found.directions.shape, found.means.shape
        if shapes != ((len(found.centre), kept), (classes, kept)):
            raise ValueError(f"its arrays do not fit each other, or {classes} classes")
        if looks and (
            (looks.centre.shape, looks.stretch.shape) != ((NUMBERS,), (NUMBERS, NUMBERS))
            or not looks.reach > 0
        ):
            raise ValueError("what it says of the look of pictures is of another version")
        return found
