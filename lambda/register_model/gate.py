"""The quality gate: may this model serve? Measured on the test split, against chance and against the
champion.

Two accuracies can be compared only if they are of the same pictures, so the evaluation carries a
fingerprint of the test split. Without a champion, or with other pictures, the verdict says that nothing was
compared.
"""

from __future__ import annotations

from dataclasses import dataclass

from register_model.evaluation import Evaluation


@dataclass(frozen=True)
class Champion:
    """What the registry says of the model that serves now."""

    version: str
    accuracy: float | None
    """None when its package does not tell, because somebody else made it."""
    fingerprint: str


@dataclass(frozen=True)
class Verdict:
    """Whether the model passed, and why, in words the registry accepts (no commas, brackets or percent
    signs).
    """

    passed: bool
    reason: str


def judge(candidate: Evaluation, champion: Champion | None) -> Verdict:
    """The verdict on a candidate.

    It passes if it beats always guessing the most frequent class and, on the same test pictures, is not less
    accurate than the champion.
    """
    score = f"test accuracy {candidate.accuracy:.4f}"
    if candidate.accuracy <= candidate.chance:
        return Verdict(False, f"{score} is no better than always guessing one class: {candidate.chance:.4f}")
    if champion is None:
        return Verdict(True, f"{score} and no champion to compare with")
    name = f"champion version {champion.version}"
    if champion.accuracy is None:
        return Verdict(True, f"{score} not compared: {name} has no recorded accuracy")
    if champion.fingerprint != candidate.fingerprint:
        return Verdict(True, f"{score} not compared: {name} was tested on other pictures")
    comparison = f"{champion.accuracy:.4f} of {name} on the same pictures"
    if candidate.accuracy < champion.accuracy:
        return Verdict(False, f"{score} is below {comparison}")
    return Verdict(True, f"{score} is not below {comparison}")
