"""evaluation.json: what a training job measured of its model, for the registry's quality gate.

The training code writes it, register-model reads it out of the job's output, and both keep to these bounds.
"""

from __future__ import annotations

from typing import Any, Final, TypedDict

from contract.calibration import Calibration

FILE: Final = "evaluation.json"
FORMAT: Final = 2
"""1 named each class again beside its numbers, and held the confusion matrix, which report.json has."""
MAX_BYTES: Final = 16 * 1024 * 1024
"""More of it is not read: a model whose evaluation could be larger is not trained."""
MAX_OUTPUT_FILES: Final = 50_000
MAX_OUTPUT_BYTES: Final = 4 * 1024**3
"""So much of a job's output is searched for it."""
MAX_LEAKED_PAIRS: Final = 20
"""So many leaked test pictures are named."""
CONFIDENCE_BINS: Final = 10
"""Of the confidence, from 0 to 1 in equal steps: of test pictures, and of what the endpoint answered."""
FINDING_FIELDS: Final = ("rule", "step", "message", "change", "gain", "how")
"""What is passed on of a rule's finding."""


class Counts(TypedDict):
    """A number for each class, in the order of the classes."""

    count: list[int]
    """Pictures there are of it."""
    predicted: list[int]
    """Pictures taken for it."""
    right: list[int]
    """Pictures of it that were taken for it."""


class Measured(TypedDict):
    """How the model did on one split."""

    accuracy: float
    loss: float
    count: int
    fingerprint: str
    """Of the split's files: two models can be compared only on the same."""
    per_class: Counts
    confidence: list[int]
    """How many pictures were answered with a confidence in each bin, as it is served."""


class Answers(TypedDict):
    """Class indices, picture by picture; none of very many pictures.

    Splits of one fingerprint are in one order.
    """

    labels: list[int] | None
    predicted: list[int] | None


class Tested(Measured, Answers):
    """The test split."""

    misclassified: list[dict[str, Any]]
    """Some of the pictures that were taken for another class, the surest mistakes first."""


class ChampionScore(TypedDict, total=False):
    """The model that serves, asked the same test pictures; or why it was not."""

    training_job: str
    accuracy: float
    predicted: list[int] | None
    why: str


class Trained(TypedDict):
    """The split that was trained on."""

    count: int
    fingerprint: str


class Leaked(TypedDict):
    """How many pictures of a split are byte for byte in another split, whatever their names and classes."""

    test_in_train: int
    pairs: list[list[str]]
    """The first of those: a test picture, and the training picture that it is, as `<class>/<picture>`."""
    valid_in_train: int
    test_in_valid: int


class Evaluation(TypedDict):
    """The file."""

    format: int
    arch: str
    classes: list[str]
    image_size: int
    test: Tested
    valid: Measured
    train: Trained
    leaked: Leaked
    """Evaluations of before there was this have no such key."""
    champion: ChampionScore | None
    serving: dict[str, Any]
    """As in model.json."""
    calibration: Calibration | None
    """As in model.json, but for the classes' offsets. Evaluations of before there was this have none."""
    hyperparameters: dict[str, Any]
    versions: dict[str, str]
    findings: dict[str, Any] | None
    seconds: float
