"""What the model's answers promise: measured for each form that may serve it, kept in model.json.

Chosen on the validation split, and told for the test split as it came out. The validation split also chose
the epoch, and in a search the hyperparameters, so what is promised is a little too good where there were
many of both; the test split, which chose nothing, shows it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from contract.answers.confidence import Confidence, Likeness
from contract.artifact import GRAPH
from contract.calibration import FALSE_ALARMS, LIKENESS, OPENVINO, PYTORCH, Calibration, Form, Kept
from training_code.data.batches import Batches
from training_code.evaluation import calibration, likeness, serving_form
from training_code.evaluation.outputs import Outputs, chosen, looks_of, of_network
from training_code.evaluation.reliability import reliability
from training_code.network.network import Network, WithFeatures
from training_code.stopping import Stopped, StopSignal

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]

MAX_REFERENCES: Final = 20_000
"""Training pictures that the likeness is learnt from."""
MAX_LOOKS: Final = 2_000
"""Of these, how many are looked at for what they look like: more change its few numbers little."""


@dataclass(frozen=True)
class Rule:
    """How one form's scores and features become an answer's confidence and its two marks."""

    confidence: Confidence
    likeness: Likeness | None = None
    certain_from: float | None = None
    like_from: float | None = None

    def unlike(self, said: Outputs) -> NDArray[np.bool_]:
        """Whether each picture is unlike the training's."""
        if self.likeness is None or self.like_from is None:
            return np.zeros(len(said.scores), np.bool_)
        return self.likeness.of(said.features, said.looks) < self.like_from

    def certain(self, said: Outputs) -> NDArray[np.bool_]:
        """Whether each answer is certain: sure enough, and of a picture like the training's."""
        if self.certain_from is None:
            return np.zeros(len(said.scores), np.bool_)
        return (self.confidence.first(said.scores) >= self.certain_from) & ~self.unlike(said)


def measure(
    folder: Path,
    network: Network,
    parts: tuple[Batches, Batches, Batches],
    served: Outputs,
    weights: Floats | None,
    stop: StopSignal,
) -> Calibration | None:
    """Choose temperature and thresholds, write the likeness into `folder`, and tell what came of it.

    Args:
        folder: of the artifact; its graph is asked the test pictures.
        network: trained; this process runs it alone.
        parts: of train, valid and test.
        served: what the graph said of valid; no scores where there is no graph.
        weights: what each class weighed in the loss, (classes,); None for all alike.

    Returns:
        None where the job was told to stop.
    """
    train, valid, test = parts
    try:
        tested = Outputs(precision=served.precision)
        said = {PYTORCH: _of_pytorch(network, valid, test, stop)}
        if len(served.scores) and (folder / GRAPH[0]).is_file():
            serving_form.ask(folder, test, tested, stop)
            said[OPENVINO] = (served, tested)
        for part, known, of in zip((valid, test), (served, tested), said[PYTORCH], strict=True):
            of.looks = looks_of(part, of.rows, stop, known)
        looks = looks_of(train, chosen(len(train.split), 1, MAX_LOOKS), stop)
        references = of_network(network, train, chosen(len(train.split), 1, MAX_REFERENCES), stop)
    except Stopped:
        return None
    labels = train.split.labels.numpy()[references.rows]
    like = likeness.fit(references.features, labels, references.scores.shape[1], looks)
    digest = ""
    if like is not None:
        path = folder / LIKENESS
        like.write(path)
        path.chmod(0o644)  # a server may run as another user
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    precision = train.config.answer_precision
    forms = {
        name: form(
            of_valid, of_test, valid.split.labels.numpy(), test.split.labels.numpy(), like, precision, weights
        )
        for name, (of_valid, of_test) in said.items()
    }
    result: Calibration = {"precision": precision, "sha256": digest, "forms": forms}
    print(told(result), flush=True)
    return result


def form(
    of_valid: Outputs,
    of_test: Outputs,
    valid_labels: Labels,
    test_labels: Labels,
    like: Likeness | None,
    precision: float,
    weights: Floats | None = None,
) -> Form:
    """What one form's answers promise, by what it said of valid and test; labels are the whole splits'."""
    rule = choose(of_valid, valid_labels[of_valid.rows], like, precision, weights)
    offsets = rule.confidence.offsets
    return {
        "temperature": rule.confidence.temperature,
        "slope": rule.confidence.slope,
        "offsets": None if offsets is None else [round(float(each), 6) for each in offsets],
        "certain_from": rule.certain_from,
        "like_from": rule.like_from,
        "pictures": len(of_valid.scores),
        "valid": keep(rule, of_valid, valid_labels[of_valid.rows]),
        "test": keep(rule, of_test, test_labels[of_test.rows]),
    }


def choose(
    said: Outputs, labels: Labels, like: Likeness | None, precision: float, weights: Floats | None = None
) -> Rule:
    """The rule that these pictures, best those of the validation split, speak for.

    Args:
        said: of the pictures, (n,) of them.
        labels: their class indices, (n,).
        like: learnt from training pictures.
        precision: what certain answers promise, 0 to 1.
        weights: what each class weighed in the loss, (classes,); None for all alike.
    """
    confidence = calibration.fit(said.scores, labels, weights)
    like_from = None
    if like is not None and said.features.shape[1] == len(like.centre):
        like_from = calibration.like_from(like.of(said.features, said.looks), FALSE_ALARMS)
    rule = Rule(confidence, like, None, like_from)
    first = confidence.first(said.scores)
    right, considered = said.scores.argmax(1) == labels, ~rule.unlike(said)
    doubted = calibration.doubtful(confidence, said.scores, labels).first(said.scores)
    certain_from = calibration.certain_from(
        first[considered], right[considered], precision, doubted[considered]
    )
    return Rule(confidence, like, certain_from, like_from)


def keep(rule: Rule, said: Outputs, labels: Labels) -> Kept:
    """What came of a rule on these pictures."""
    right = said.scores.argmax(1) == labels
    certain = rule.certain(said)
    promised, judged = rule.certain_from is not None, rule.like_from is not None
    return {
        "count": len(labels),
        "before": reliability(Confidence().first(said.scores), right),
        "after": reliability(rule.confidence.first(said.scores), right),
        "certain": int(certain.sum()) if promised else None,
        "certain_right": int((certain & right).sum()) if promised else None,
        "unlike": int(rule.unlike(said).sum()) if judged else None,
    }


def told(result: Calibration) -> str:
    """One line for the log, of the form that serves."""
    of = result["forms"].get(OPENVINO) or result["forms"][PYTORCH]
    test = of["test"]
    before, after = test["before"]["ece"], test["after"]["ece"]
    text = (
        f"confidence: temperature {of['temperature']:.2f}, calibration error {before:.3f} and now {after:.3f}"
    )
    if test["certain"] is None:
        return f"{text}; a precision of {result['precision']:g} cannot be promised"
    certain, right = test["certain"], test["certain_right"]
    return f"{text}; {certain} of {test['count']} test pictures certain, {right} of them right"


def _of_pytorch(network: Network, valid: Batches, test: Batches, stop: StopSignal) -> tuple[Outputs, Outputs]:
    width = network.classes + WithFeatures(network, network.head_names).width
    of_valid, of_test = (
        of_network(network, part, chosen(len(part.split), width), stop) for part in (valid, test)
    )
    return of_valid, of_test
