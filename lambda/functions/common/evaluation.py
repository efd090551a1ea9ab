"""evaluation.json (contract/evaluation.py), read without trusting it.

Two functions read it: register-model out of the job's archive, and check-drift the registry's copy. Format 1
named every class again beside its numbers; 2 has a list of numbers for all classes, in their order, so that
10,000 classes and 50,000 pictures have a megabyte.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contract import objects
from contract.calibration import OPENVINO, PYTORCH
from contract.evaluation import FILE, MAX_BYTES, MAX_LEAKED_PAIRS
from contract.storage import of_run
from functions.common.clients import client
from functions.common.errors import EvaluationInvalid


@dataclass(frozen=True)
class ChampionScore:
    """The champion, asked the candidate's test pictures by the candidate's job; or why it could not be."""

    training_job: str
    accuracy: float = 0.0
    predicted: tuple[int, ...] = ()
    """Class indices, in the order of the candidate's own; empty when the file has none."""
    why_not: str = ""


@dataclass(frozen=True)
class Leak:
    """How many pictures are in two splits, and the first test pictures that are training pictures."""

    test_in_train: int
    pairs: tuple[tuple[str, str], ...]
    """A test picture, and the training picture that it is."""
    valid_in_train: int
    test_in_valid: int


@dataclass(frozen=True)
class ServedAnswers:
    """What the answers of the form that serves came to on the test split."""

    precision: float
    """What is promised of certain ones."""
    count: int
    certain: int | None
    """None where nothing is promised."""
    certain_right: int | None
    unlike: int | None
    """Pictures called unlike training's; None where that cannot be told."""
    ece: float
    """Expected calibration error of the confidence."""


@dataclass(frozen=True)
class Evaluation:
    """How a model did on the test split. `raw` is the file as it is, for the registry to keep."""

    accuracy: float
    loss: float
    count: int
    fingerprint: str
    largest_class: int
    """Test pictures of the most frequent class: what always guessing it would get right."""
    classes: tuple[str, ...]
    arch: str
    raw: bytes
    predicted_counts: tuple[int, ...] = ()
    """How many test pictures were taken for each class; empty when the file does not tell."""
    confidences: tuple[int, ...] = ()
    """How many were answered with a confidence in each tenth; empty when the file does not tell."""
    answers: ServedAnswers | None = None
    """None when the file does not tell."""
    recalls: tuple[tuple[str, float], ...] = ()
    """Each class that has test pictures, with the share of them that was found."""
    labels: tuple[int, ...] = ()
    predicted: tuple[int, ...] = ()
    """Class indices, one per test picture in the order of file names; empty when the file has none."""
    champion: ChampionScore | None = None
    leaked: Leak | None = None
    """None when the file is of before there was this."""
    latency_ms: float | None = None
    """Milliseconds a picture takes on average in the form that serves it, as the training job measured it."""
    latency_within_ms: tuple[float, float] | None = None
    """Between which eight in ten pictures lay; None when the job did not tell."""

    @property
    def lowest_class(self) -> tuple[str, float] | None:
        """The class that is found worst, with its recall."""
        return min(self.recalls, key=lambda each: each[1], default=None)

    @property
    def chance(self) -> float:
        """The accuracy of always answering the most frequent class."""
        return self.largest_class / self.count


def parse(raw: bytes, where: str) -> Evaluation:
    """The evaluation in the file's bytes.

    Raises:
        EvaluationInvalid: not JSON, a field is missing, or a number cannot be (an accuracy above 1, no
        pictures).
    """
    try:
        body = json.loads(raw)
        test, classes = body["test"], tuple(str(name) for name in body["classes"])
        counts, recalls, predicted_counts = _of_classes(test, classes)
        accepted = _accepted(body.get("serving") or {})
        evaluation = Evaluation(
            accuracy=float(test["accuracy"]),
            loss=float(test["loss"]),
            count=int(test["count"]),
            fingerprint=str(test["fingerprint"]),
            largest_class=max(counts),
            classes=classes,
            arch=str(body["arch"]),
            raw=raw,
            predicted_counts=predicted_counts,
            confidences=_whole(test.get("confidence")),
            answers=_served_answers(body.get("calibration")),
            recalls=recalls,
            labels=_whole(test.get("labels")),
            predicted=_whole(test.get("predicted")),
            champion=_champion_score(body.get("champion")),
            leaked=_leak(body.get("leaked")),
            latency_ms=float(accepted["milliseconds"]) if accepted else None,
            latency_within_ms=_within(accepted),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise EvaluationInvalid(f"{where}: {FILE} cannot be used: {type(error).__name__}: {error}") from None
    if not (_believable(evaluation) and _answers_fit(evaluation)):
        raise EvaluationInvalid(
            f"{where}: {FILE} cannot be believed: accuracy {evaluation.accuracy}, {evaluation.count} tested "
            f"({evaluation.largest_class} in the largest class), {len(evaluation.classes)} classes"
        )
    return evaluation


def _served_answers(calibration: Any) -> ServedAnswers | None:
    """Of the serving form, or of PyTorch where there is none."""
    if not calibration:
        return None
    form = calibration["forms"].get(OPENVINO) or calibration["forms"][PYTORCH]
    test = form["test"]
    certain, right, unlike = (
        None if test[key] is None else int(test[key]) for key in ("certain", "certain_right", "unlike")
    )
    return ServedAnswers(
        precision=float(calibration["precision"]),
        count=int(test["count"]),
        certain=certain,
        certain_right=right,
        unlike=unlike,
        ece=float(test["after"]["ece"]),
    )


def registered(bucket: str, training_job: str) -> Evaluation:
    """The registry's copy of a training's evaluation.

    Raises:
        EvaluationInvalid: it is missing, or as `parse`.
    """
    key = of_run(training_job, FILE)
    raw = objects.read(client("s3"), bucket, key, MAX_BYTES)
    if raw is None:
        raise EvaluationInvalid(f"s3://{bucket}/{key} is missing")
    return parse(raw, f"s3://{bucket}/{key}")


def _believable(evaluation: Evaluation) -> bool:
    return bool(
        math.isfinite(evaluation.accuracy)
        and 0 <= evaluation.accuracy <= 1
        and 0 < evaluation.largest_class <= evaluation.count
        and len(evaluation.classes) >= 2
        and evaluation.fingerprint
        and all(0 <= recall <= 1 for _, recall in evaluation.recalls)
        and (evaluation.leaked is None or 0 <= evaluation.leaked.test_in_train <= evaluation.count)
    )


def _answers_fit(evaluation: Evaluation) -> bool:
    """Whether the single answers, where there are any, are one per picture, each of a class there is."""
    champion_predicted = evaluation.champion.predicted if evaluation.champion else ()
    answers = (evaluation.labels, evaluation.predicted, champion_predicted)
    return (
        len(evaluation.labels) == len(evaluation.predicted)
        and all(len(each) in (0, evaluation.count) for each in answers)
        and all(min(each) >= 0 and max(each) < len(evaluation.classes) for each in answers if each)
    )


def _of_classes(
    test: Mapping[str, Any], classes: tuple[str, ...]
) -> tuple[tuple[int, ...], tuple[tuple[str, float], ...], tuple[int, ...]]:
    """Of each class: its test pictures; its name and recall, where it has any; how many were taken for it."""
    listed = test["per_class"]
    if isinstance(listed, list):  # format 1
        counts = _whole(each["count"] for each in listed)
        recalls = tuple(
            (str(each["class"]), float(each["recall"]))
            for each in listed
            if int(each["count"]) and "recall" in each
        )
        found = Counter(_whole(test.get("predicted")))
        return counts, recalls, tuple(found[place] for place in range(len(classes))) if found else ()
    counts, right, predicted_counts = (_whole(listed[key]) for key in ("count", "right", "predicted"))
    recalls = tuple(
        (name, hit / count) for name, count, hit in zip(classes, counts, right, strict=True) if count
    )
    if len(predicted_counts) != len(classes):
        raise ValueError(f"{len(predicted_counts)} counts of {len(classes)} classes")
    return counts, recalls, predicted_counts


def _whole(numbers: Iterable[Any] | None) -> tuple[int, ...]:
    return tuple(int(each) for each in numbers or ())


def _champion_score(champion: dict[str, Any] | None) -> ChampionScore | None:
    if not champion:
        return None
    job = str(champion["training_job"])
    if "why" in champion:
        return ChampionScore(job, why_not=str(champion["why"])[:200])
    return ChampionScore(job, float(champion["accuracy"]), _whole(champion.get("predicted")))


def _leak(leaked: dict[str, Any] | None) -> Leak | None:
    if leaked is None:
        return None
    return Leak(
        int(leaked["test_in_train"]),
        tuple((str(test), str(train)) for test, train in leaked["pairs"][:MAX_LEAKED_PAIRS]),
        int(leaked["valid_in_train"]),
        int(leaked["test_in_valid"]),
    )


def _accepted(serving: dict[str, Any]) -> dict[str, Any]:
    """The measured form that serves; empty when no form was measured."""
    accepted = [each for each in serving.get("candidates", []) if each.get("accepted")]
    return dict(accepted[-1]) if accepted else {}


def _within(form: dict[str, Any]) -> tuple[float, float] | None:
    if "most_within" not in form:
        return None
    quick, slow = form["most_within"]
    return float(quick), float(slow)
