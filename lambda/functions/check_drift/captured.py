"""What the endpoint answered lately, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from contract.evaluation import CONFIDENCE_BINS
from functions.check_drift.psi import bin_of
from functions.common import captures


@dataclass
class Predictions:
    """How often each class was predicted, and how surely (counts per bin of the confidence).

    `unlike` counts the pictures called unlike training's, `judged` those of which that was told either way.
    """

    classes: Counter[str] = field(default_factory=Counter)
    confidences: list[int] = field(default_factory=lambda: [0] * CONFIDENCE_BINS)

    unlike: int = 0
    judged: int = 0

    @property
    def count(self) -> int:
        return sum(self.confidences)


def read(bucket: str, folder: str, version: str, now: datetime, hours: int) -> Predictions:
    """The predictions of one model version in the last hours; lines that tell nothing are passed over."""
    found = Predictions()
    for each in captures.between(bucket, folder, now - timedelta(hours=hours - 1), now):
        answer = each.answer
        try:
            if str(answer["model"]["version"]) != version:
                continue
            label, confidence = str(answer["predicted_class"]), float(answer["confidence"])
        except (LookupError, TypeError, ValueError, OverflowError):
            continue
        if 0 <= confidence <= 1:
            found.classes[label] += 1
            found.confidences[bin_of(confidence)] += 1
            unlike = answer.get("unlike_training")
            found.judged += isinstance(unlike, bool)
            found.unlike += unlike is True
    return found
