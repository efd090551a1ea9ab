"""The quality gate: may this model serve? Leaks, floors, ceilings, and the champion on the same pictures.

Two models are compared picture by picture (mcnemar.py), so that a difference which chance makes promotes
nothing. They can be compared only on the same pictures in the same order, so the evaluation carries a
fingerprint of the test split; when that is another than the champion's own, the candidate's job has asked the
champion too. Without a champion, or with one that could not be asked or that was tested on its own training
pictures, the verdict says that nothing was compared. A model whose classes are not the champion's has other
callers: it waits for a person.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from contract.decisions import Outcome
from contract.environment import RegisterEnvironment
from functions.common.evaluation import Evaluation, Leak
from functions.register_model import classes, guessing, mcnemar
from functions.register_model.guessing import Guessing

BETTER = "better"
_NAMED = 2
_LENGTH = 40


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
    classes: tuple[str, ...] = ()
    """Empty when its evaluation is gone."""
    classes_digest: str = ""
    """Of the classes; empty when its package is of before there was this."""
    leaked: int = 0
    """How many of its own test pictures it was trained on, as far as it is known."""


@dataclass(frozen=True)
class Verdict:
    """What became of the model, and why, in words the registry accepts (no commas, brackets or percent
    signs); `numbers` is what the words rest on.
    """

    outcome: Outcome
    reason: str
    numbers: dict[str, Any] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether it may serve, if a person agrees."""
        return self.outcome in (Outcome.PASSED, Outcome.OTHER_CLASSES)


def judge(
    candidate: Evaluation, size_mb: float, champion: Champion | None, env: RegisterEnvironment
) -> Verdict:
    """The verdict on a candidate: a leak first, then floors and ceilings, then the champion.

    Args:
        size_mb: the model archive, in megabytes of 10^6 bytes.
    """
    champion = _on_the_same_pictures(champion, candidate)
    lowest, guess = candidate.lowest_class, guessing.compare(candidate)
    numbers: dict[str, Any] = {
        "test_accuracy": candidate.accuracy,
        "test_pictures": candidate.count,
        "guessing_accuracy": candidate.chance,
        "guessing": {**guess.numbers, "significance": env.significance},
        "lowest_class": lowest[0] if lowest else None,
        "lowest_class_recall": lowest[1] if lowest else None,
        "latency_ms": candidate.latency_ms,
        "latency_ms_spread": candidate.latency_within_ms,
        "size_mb": round(size_mb, 3),
        # 0 is none
        "floors": {"accuracy": env.min_accuracy, "class_recall": env.min_class_recall},
        "ceilings": {"latency_ms": env.max_latency_ms, "size_mb": env.max_size_mb},
    }
    leaked = candidate.leaked
    if leaked is not None:
        numbers["leaked"] = asdict(leaked)
        if leaked.test_in_train:
            return Verdict(Outcome.LEAKED, _leak_in_words(candidate, leaked), numbers)
    if champion is not None and champion.leaked:
        numbers["champion_leaked"] = champion.leaked
    failed = _below_floors(candidate, guess, env) or _above_ceilings(candidate, size_mb, env)
    if failed is not None:
        return Verdict(Outcome.GATE, failed, numbers)
    if champion is not None:
        same_pictures = champion.fingerprint == candidate.fingerprint
        other = classes.difference(
            candidate.classes, champion.classes, champion.classes_digest, same_pictures
        )
        if other is not None:
            numbers["other_classes"] = {"champion": champion.version, **other.numbers}
            return Verdict(Outcome.OTHER_CLASSES, _other_in_words(candidate, champion, other), numbers)
    return _against(candidate, champion, env, numbers)


def _leak_in_words(candidate: Evaluation, leaked: Leak) -> str:
    count = leaked.test_in_train
    named = [f"test/{_short(test)} is train/{_short(train)}" for test, train in leaked.pairs[:_NAMED]]
    more = [f"{count - len(named)} more"] if count > len(named) else []
    return (
        f"{count} test pictures are also training pictures so test accuracy {candidate.accuracy:.4f} means "
        f"nothing: {' and '.join([*named, *more])}"
    )


def _short(name: str) -> str:
    """A picture's name with its end, which tells it from others."""
    return name if len(name) <= _LENGTH else f"…{name[1 - _LENGTH :]}"


def _other_in_words(candidate: Evaluation, champion: Champion, other: classes.Difference) -> str:
    why = other.words if other.known else champion.why_not or other.words
    names = f": {other.names}" if other.names else ""
    return (
        f"test accuracy {candidate.accuracy:.4f} not compared: champion version {champion.version} {why} "
        f"so a person decides{names}"
    )


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


def _below_floors(candidate: Evaluation, guess: Guessing, env: RegisterEnvironment) -> str | None:
    score = f"test accuracy {candidate.accuracy:.4f}"
    if guess.p >= env.significance:
        few = f" - {candidate.count} test pictures are too few to show more"
        return (
            f"{score} is not above {candidate.chance:.4f} of always guessing one class beyond chance - "
            f"{guess.how}{few if guess.least_p >= env.significance else ''}"
        )
    if candidate.accuracy < env.min_accuracy:
        return f"{score} is below the floor of {env.min_accuracy:.4f} - gate.min_accuracy"
    for name, recall in candidate.recalls:
        if recall < env.min_class_recall:
            floor = f"floor {env.min_class_recall:.4f} - gate.min_class_recall"
            return f"{score} but class {name} is found in {recall:.4f} only: {floor}"
    return None


def _above_ceilings(candidate: Evaluation, size_mb: float, env: RegisterEnvironment) -> str | None:
    if env.max_size_mb and size_mb > env.max_size_mb:
        ceiling = f"the ceiling of {env.max_size_mb} MB - gate.max_size_mb"
        return f"the model has {size_mb:.1f} MB: more than {ceiling}"
    if env.max_latency_ms:
        ceiling = f"{env.max_latency_ms} ms - gate.max_latency_ms"
        if candidate.latency_ms is None:
            return f"its latency was not measured: the ceiling is {ceiling}"
        if candidate.latency_ms > env.max_latency_ms:
            return f"a picture takes {candidate.latency_ms:.1f} ms: ceiling {ceiling}"
    return None


def _against(
    candidate: Evaluation, champion: Champion | None, env: RegisterEnvironment, numbers: dict[str, Any]
) -> Verdict:
    score = f"test accuracy {candidate.accuracy:.4f}"
    if champion is None:
        return Verdict(Outcome.PASSED, f"{score} and no champion to compare with", numbers)
    name = f"champion version {champion.version}"
    if champion.accuracy is None:
        return Verdict(Outcome.PASSED, f"{score} not compared: {name} has no recorded accuracy", numbers)
    if champion.leaked:
        why = f"was tested on {champion.leaked} of its own training pictures"
        return Verdict(Outcome.PASSED, f"{score} not compared: {name} {why}", numbers)
    if champion.fingerprint != candidate.fingerprint:
        why = champion.why_not or "was tested on other pictures"
        return Verdict(Outcome.PASSED, f"{score} not compared: {name} {why}", numbers)
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
        return Verdict(Outcome.PASSED, f"{score} is above {other} - {how}", numbers)
    if difference < 0 and sure:
        return Verdict(Outcome.GATE, f"{score} is below {other} - {how}", numbers)
    words = f"{score} against {other} is no difference beyond chance - {how}"
    return Verdict(Outcome.GATE if env.must_be == BETTER else Outcome.PASSED, words, numbers)
