"""How a form's scores become an answer: its confidence, whether it is certain, whether the picture is unlike
training's. All of it was chosen in training, on the validation split (`contract.calibration`).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.answers.appearance import described
from contract.answers.confidence import Confidence, Likeness
from inference_code.model.bad_artifact import BadArtifact

_CARD = "model.json"


@dataclass(frozen=True)
class Promises:
    """Of one form. As it is by default, of a model of before there was this: raw softmax, and no marks."""

    confidence: Confidence = field(default_factory=Confidence)
    likeness: Likeness | None = None
    certain_from: float | None = None
    like_from: float | None = None

    def shares(self, scores: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities of class scores, both of shape (classes,)."""
        shares: NDArray[np.float64] = self.confidence.shares(scores[None])[0]
        return shares

    def look(self, square: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """What a picture (side, side, 3 or 4) looks like, where `unlike` asks for it."""
        asked = self.likeness is not None and self.likeness.appearance is not None
        return described(square) if asked and self.like_from is not None else None

    def unlike(self, features: NDArray[np.float32], look: NDArray[np.float32] | None) -> bool | None:
        """Whether a picture of this head's input (features,) and look is unlike training's, if known."""
        if self.likeness is None or self.like_from is None or not len(features):
            return None
        looks = None if look is None else look[None]
        return bool(self.likeness.of(features[None], looks)[0] < self.like_from)

    def certain(self, confidence: float, unlike: bool | None) -> bool | None:
        """Whether an answer is among those of which so many are right as was promised; None: none are."""
        return None if self.certain_from is None else confidence >= self.certain_from and not unlike


def promises(told: Any, file: Path, classes: int) -> dict[str, Promises]:
    """Of each form that model.json has told something of.

    Args:
        told: its member `calibration`.
        file: with the likeness; it is read if there should be one.
        classes: how many there are.

    Raises:
        BadArtifact: it is not what training writes.
    """
    if told is None:
        return {}
    try:
        likeness = _likeness(str(told["sha256"]), file, classes)
        return {str(name): _of_form(form, likeness, classes) for name, form in told["forms"].items()}
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BadArtifact(f"{_CARD}: `calibration` is not what training writes: {error!r:.200}.") from None


def _of_form(form: Any, likeness: Likeness | None, classes: int) -> Promises:
    offsets = form["offsets"]
    if offsets is not None:
        offsets = np.asarray(offsets, np.float64)
        if offsets.shape != (classes,) or not np.isfinite(offsets).all():
            raise ValueError("offsets")
    temperature, slope = float(form["temperature"]), float(form["slope"])
    if not (0 < temperature < math.inf and 0 < slope <= 1):
        raise ValueError("temperature or slope")
    return Promises(
        Confidence(temperature, slope, offsets),
        likeness,
        _number(form["certain_from"]),
        _number(form["like_from"]),
    )


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a threshold")
    return number


def _likeness(digest: str, file: Path, classes: int) -> Likeness | None:
    if not digest:
        return None
    try:
        if hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            raise BadArtifact(f"{file.name} is damaged: it is not the file that {_CARD} describes.")
        return Likeness.read(file, classes)
    except FileNotFoundError:
        raise BadArtifact(f"{file.name} is missing, though {_CARD} describes it.") from None
    except OSError as error:
        raise BadArtifact(f"{file.name} cannot be read: {error}.") from error
    except ValueError as error:
        raise BadArtifact(f"{file.name} cannot be used: {error}.") from None
