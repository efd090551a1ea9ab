"""The quality gate: may this model serve? Floors, ceilings, and the champion on the same test pictures.

Two models are compared picture by picture (mcnemar.py), so that a difference which chance makes promotes
nothing. They can be compared only on the same pictures in the same order, so the evaluation carries a
fingerprint of the test split; when that is another than the champion's own, the candidate's job has asked the
champion too. Without a champion, or with one that could not be asked, the verdict says that nothing was
compared.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from contract.environment import RegisterEnvironment
from functions.common.evaluation import Evaluation
from functions.register_model import mcnemar

BETTER = "better"


@dataclass(frozen=True)
class Champion:
    """What the registry says of the model that serves now."""

    version: str
    training_job: str
    accuracy: float | None
    """None when its package does not tell, because somebody else made it."""
    fingerprint: str
    labels: tuple[int, ...] = ()
    predicted: tuple[int, ...] = ()
    """Class indices, one per test picture; empty when its evaluation does not tell."""
    why_not: str = ""
    """Why it could not be asked the candidate's test pictures, when that was tried."""


@dataclass(frozen=True)
class Verdict:
    """Whether the model passed, and why, in words the registry accepts (no commas, brackets or percent
    signs); `numbers` is what the words rest on.
    """

    passed: bool
    reason: str
    numbers: dict[str, Any] = field(default_factory=dict)


def judge(
    candidate: Evaluation, size_mb: float, champion: Champion | None, env: RegisterEnvironment
) -> Verdict:
    """The verdict on a candidate: floors and ceilings first, then the champion.

    Args:
        size_mb: the model archive, in megabytes of 10^6 bytes.
    """
    champion = _on_the_same_pictures(champion, candidate)
    lowest = candidate.lowest_class
    numbers: dict[str, Any] = {
        "test_accuracy": candidate.accuracy,
        "test_pictures": candidate.count,
        "guessing_accuracy": candidate.chance,
        "lowest_class": lowest[0] if lowest else None,
        "lowest_class_recall": lowest[1] if lowest else None,
        "latency_ms": candidate.latency_ms,
        "latency_ms_spread": candidate.latency_within_ms,
        "size_mb": round(size_mb, 3),
        # 0 is none
        "floors": {"accuracy": env.min_accuracy, "class_recall": env.min_class_recall},
        "ceilings": {"latency_ms": env.max_latency_ms, "size_mb": env.max_size_mb},
    }
    failed = _below_floors(candidate, env) or _above_ceilings(candidate, size_mb, env)
    if failed is not None:
        return Verdict(False, failed, numbers)
    return _against(candidate, champion, env, numbers)


def _on_the_same_pictures(champion: Champion | None, candidate: Evaluation) -> Champion | None:
    """The champion as the candidate's job found it on its own test pictures, where it asked it.

    Another may have become champion since that job was started: then what the job found is of no use.
    """
    score = candidate.champion
    if champion is None or score is None or score.training_job != champion.training_job:
        return champion
    if score.why_not:
        return replace(champion, why_not=score.why_not)
    return replace(
        champion,
        accuracy=score.accuracy,
        fingerprint=candidate.fingerprint,
        labels=candidate.labels if score.predicted else (),
        predicted=score.predicted,
    )


def _below_floors(candidate: Evaluation, env: RegisterEnvironment) -> str | None:
    score = f"test accuracy {candidate.accuracy:.4f}"
    if candidate.accuracy <= candidate.chance:
        return f"{score} is no better than always guessing one class: {candidate.chance:.4f}"
    if candidate.accuracy < env.min_accuracy:
        return f"{score} is below the floor of {env.min_accuracy:.4f}"
    for name, recall in candidate.recalls:
        if recall < env.min_class_recall:
            floor = f"floor {env.min_class_recall:.4f}"
            return f"{score} but class {name} is found in {recall:.4f} only: {floor}"
    return None


def _above_ceilings(candidate: Evaluation, size_mb: float, env: RegisterEnvironment) -> str | None:
    if env.max_size_mb and size_mb > env.max_size_mb:
        return f"the model has {size_mb:.1f} MB: more than the ceiling of {env.max_size_mb} MB"
    if env.max_latency_ms:
        if candidate.latency_ms is None:
            return f"its latency was not measured: the ceiling is {env.max_latency_ms} ms"
        if candidate.latency_ms > env.max_latency_ms:
            return f"a picture takes {candidate.latency_ms:.1f} ms: ceiling {env.max_latency_ms} ms"
    return None


def _against(
    candidate: Evaluation, champion: Champion | None, env: RegisterEnvironment, numbers: dict[str, Any]
) -> Verdict:
    score = f"test accuracy {candidate.accuracy:.4f}"
    if champion is None:
        return Verdict(True, f"{score} and no champion to compare with", numbers)
    name = f"champion version {champion.version}"
    if champion.accuracy is None:
        return Verdict(True, f"{score} not compared: {name} has no recorded accuracy", numbers)
    if champion.fingerprint != candidate.fingerprint:
        why = champion.why_not or "was tested on other pictures"
        return Verdict(True, f"{score} not compared: {name} {why}", numbers)
    numbers |= {"champion": champion.version, "champion_accuracy": champion.accuracy}
    other = f"{champion.accuracy:.4f} of {name} on the same pictures"
    sure, how = True, "without a paired test"
    if candidate.predicted and champion.labels == candidate.labels:
        found = mcnemar.compare(candidate.labels, champion.predicted, candidate.predicted)
        sure = found.p < env.significance
        how = f"McNemar p = {found.p:.2g}: {found.only_candidate} to {found.only_champion}"
        numbers["mcnemar"] = {
            "p": found.p,
            "only_candidate_right": found.only_candidate,
            "only_champion_right": found.only_champion,
            "significance": env.significance,
        }
    difference = candidate.accuracy - champion.accuracy
    if difference > 0 and sure:
        return Verdict(True, f"{score} is above {other} - {how}", numbers)
    if difference < 0 and sure:
        return Verdict(False, f"{score} is below {other} - {how}", numbers)
    words = f"{score} against {other} is no difference beyond chance - {how}"
    return Verdict(env.must_be != BETTER, words, numbers)
