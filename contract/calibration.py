"""What model.json and evaluation.json say of a model's confidence: how it is set right, and what it promises.

Training measures it on the validation split, in each form that may serve; `contract.answers.confidence` has
the arithmetic. A model of before there was this has no such key: its answers say null where it would be
needed.
"""

from __future__ import annotations

from typing import Final, TypedDict

LIKENESS: Final = "likeness.npz"
"""In the artifact: what training pictures are like, as arrays (`contract.answers.confidence.Likeness`)."""
OPENVINO, PYTORCH = "openvino", "pytorch"
"""The forms a model may be served in, as `serving.form` of model.json names them."""
FALSE_ALARMS: Final = 0.02
"""Of pictures like the training's, at most this share is called unlike them."""
METRICS: Final = "Classifier/Answers"
"""The metrics' namespace: of all answers, how many were certain, and how many pictures unlike training."""


class Bin(TypedDict):
    """Pictures whose confidence is in one bin, and how sure and how right their answers were on average."""

    place: int
    """Of the bin, from 0."""
    count: int
    confidence: float
    accuracy: float


class Reliability(TypedDict):
    """How far confidence is from accuracy."""

    ece: float
    """Expected calibration error: the mean distance over the bins, each weighed by its pictures."""
    within: list[float]
    """Its 95% bootstrap interval, moved back by what drawing again adds on average."""
    by_chance: float
    """What it would be on average for as many answers whose confidence is exactly right."""
    bins: list[Bin]
    """Of the confidence, in equal steps; empty ones are left out."""


class Kept(TypedDict):
    """What came of the promises on one split."""

    count: int
    before: Reliability
    """Of the network's own probabilities."""
    after: Reliability
    """Of the confidence that is served."""
    certain: int | None
    """Pictures answered with certainty; None where nothing is promised."""
    certain_right: int | None
    unlike: int | None
    """Pictures called unlike the training's; None where that cannot be told."""


class Form(TypedDict):
    """What the answers of one form need, and what they came to."""

    temperature: float
    slope: float
    offsets: list[float] | None
    """Of each class; None for none."""
    certain_from: float | None
    """The least confidence of a certain answer; None: the precision cannot be promised."""
    like_from: float | None
    """The least likeness of a picture that is like the training's; None: that cannot be told."""
    pictures: int
    """Validation pictures that all this was fitted to."""
    valid: Kept
    test: Kept


class Calibration(TypedDict):
    """Of a model, by the form that serves."""

    precision: float
    """What is promised of certain answers: this share of them is right."""
    sha256: str
    """Of `LIKENESS`; empty where there is none."""
    forms: dict[str, Form]
