"""The hyperparameters: what they are called, what they may be, and what they are when nobody says.

SageMaker hands every hyperparameter over as a string, a tuning job's categorical values sometimes quoted
once more as JSON (`"16"` for `16`). `parse` turns them into one checked `Config`; a name or value that is
not allowed ends the job with a message naming the key, the value and what would do.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from training_code.errors import InvalidHyperparameter
from training_code.network.resnet import STAGES

_OF_SAGEMAKER: Final = ("sagemaker_", "_tuning_objective_metric")
"""Hyperparameters SageMaker adds for its own use begin so."""

OF_WATCHING: Final = frozenset(
    {
        "debug_rules",
        "debug_parameters",
        "on_trigger",
        "debug_every",
        "debug_save",
        "profile",
        "profile_steps",
        "hourly_usd",
    }
)
"""Hyperparameters that change what is seen of a training, and nothing of what it comes to."""

OF_NO_NUMBER: Final = OF_WATCHING | frozenset(
    {"run", "feature_cache", "processes", "max_skipped", "checkpoint_minutes", "allow_cpu"}
)
"""Hyperparameters that change no number: a checkpoint may be resumed with another value."""


def _one_of(default: str, *others: str) -> Any:
    return field(default=default, metadata={"choices": (default, *others)})


def _number(default: float, least: float, most: float, *, above: bool = False, below: bool = False) -> Any:
    """A number from `least` to `most`; with `above` or `below` that bound itself is not allowed."""
    return field(default=default, metadata={"range": (least, most, above, below)})


def _text() -> Any:
    return field(default="", metadata={})


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything a training job can be told. Each field is a hyperparameter of the same name."""

    arch: str = _one_of("resnet18", "resnet34", "resnet50")
    """The network."""
    weights: str = _one_of("none", "imagenet", "pretrained")
    """What training starts from: fresh weights, ImageNet's (downloaded), or the channel `pretrained`."""
    trainable_from: str = _one_of(*STAGES)
    """The first stage that is trained; those before it are frozen. `stem` trains everything."""

    image_size: int = _number(224, 8, 1024)
    """Side of the square the network sees, in pixels."""
    train_fraction: float = _number(1.0, 0.0, 1.0, above=True)
    """The share of each class's training pictures that is used."""
    augment: str = _one_of("flip", "none", "crop", "crop-flip")
    """How training pictures are varied: mirrored left to right, cropped at random places, both or neither."""
    crop_places: int = _number(0, 0, 64)
    """How many fixed places crops are cut at (of few, frozen stages' answers can be kept); 0 is anywhere."""
    max_skipped: float = _number(0.1, 0.0, 1.0)
    """The share of a split's pictures that may be undecodable; more ends the job."""

    optimizer: str = _one_of("sgd", "adamw")
    """Stochastic gradient descent with momentum, or AdamW."""
    epochs: int = _number(5, 1, 10_000)
    """How often training goes through the pictures."""
    batch_size: int = _number(32, 2, 65_536)
    """Pictures per step."""
    learning_rate: float = _number(0.01, 0.0, 100.0, above=True)
    """The highest learning rate; the schedule leads up to it and down from it."""
    momentum: float = _number(0.9, 0.0, 1.0, below=True)
    """SGD's momentum."""
    weight_decay: float = _number(1e-4, 0.0, 10.0)
    """L2 penalty for SGD, decoupled weight decay for AdamW."""
    eps: float = _number(1e-8, 0.0, 1.0, above=True)
    """What AdamW adds to its denominator."""
    schedule: str = _one_of("cosine", "constant", "one-cycle")
    """How the learning rate runs after the warm-up."""
    warmup_epochs: float = _number(0.0, 0.0, 10_000.0)
    """Epochs, also parts of one, over which the learning rate rises to its highest."""
    label_smoothing: float = _number(0.0, 0.0, 1.0, below=True)
    """The share of each target that is spread over all classes."""
    class_weights: str = _one_of("none", "balanced")
    """Whether rare classes count more in the loss: balanced weighs each by one over its pictures."""
    patience: int = _number(0, 0, 10_000)
    """Training ends after so many epochs without a better objective; 0 never ends it early."""
    seed: int = _number(0, 0, 2**31 - 1)
    """The same seed on the same machine gives the same numbers."""
    objective: str = _one_of("valid_accuracy", "valid_loss")
    """The metric by which the best epoch is chosen: the highest accuracy, or the lowest loss."""

    precision: str = _one_of("auto", "bfloat16", "float32")
    """The number format of the network's arithmetic; auto is bfloat16 where the machine has it."""
    memory_format: str = _one_of("auto", "channels_last", "contiguous")
    """The order of pictures in memory; auto is channels_last."""
    compile: str = _one_of("off", "on")
    """Whether torch.compile rewrites the trained part. It takes a minute, and needs a C++ compiler."""
    processes: int = _number(0, 0, 64)
    """Processes per instance that train together; 0 is one per GPU, or one."""

    allow_cpu: str = _one_of("no", "yes")
    """Whether a job on a GPU instance whose GPU cannot be used trains on its processor instead."""

    checkpoint_minutes: float = _number(5.0, 0.0, 1440.0)
    """Minutes between two checkpoints within an epoch; 0 leaves it at one after each epoch."""

    feature_cache: str = _text()
    """Where jobs share what frozen stages make of pictures: an S3 prefix or a folder; empty is nowhere."""
    debug_rules: str = _text()
    """The rules that watch the training: all, or a list of names (training_code/debugging/catalogue.py)."""
    debug_parameters: str = _text()
    """Parameters of rules that differ from their defaults, as JSON: {"overfit": {"patience": 3}}."""
    on_trigger: str = _one_of("report", "notify", "stop")
    """What a rule that finds something leads to; `stop` ends the training and keeps its best epoch."""
    debug_every: int = _number(0, 0, 1_000_000)
    """Steps between two looks of the rules; 0 chooses."""
    debug_save: str = _one_of("reductions", "tensors")
    """What is saved at a look: what the rules need, or whole gradients and weights as well."""
    profile: str = _one_of("off", "on")
    """Whether the parts of each step and the machine's utilisation are measured."""
    profile_steps: int = _number(10, 0, 1000)
    """The first steps of which torch's profiler writes a trace."""

    hourly_usd: float = _number(0.0, 0.0, 100_000.0)
    """What the machine costs by the hour, for the report; 0 where it costs nothing."""
    run: str = _text()
    """The run this job belongs to; recorded in the model, nothing else."""
    dataset: str = _text()
    """The data set's name; recorded in the model, nothing else."""

    def __post_init__(self) -> None:
        if self.warmup_epochs >= self.epochs and self.warmup_epochs > 0:
            raise InvalidHyperparameter(
                f"warmup_epochs={self.warmup_epochs:g}: the warm-up must be shorter than "
                f"the training (epochs={self.epochs})"
            )

    @property
    def crops(self) -> bool:
        """Whether training pictures are cut at random places."""
        return self.augment in ("crop", "crop-flip")

    @property
    def maximize(self) -> bool:
        """Whether a higher objective is better."""
        return self.objective == "valid_accuracy"


def parse(hyperparameters: Mapping[str, str]) -> Config:
    """The checked configuration from SageMaker's strings.

    Raises:
        InvalidHyperparameter: an unknown name, a value of the wrong type, or one out of range.
    """
    fields = {each.name: each for each in dataclasses.fields(Config)}
    values: dict[str, Any] = {}
    for key, text in hyperparameters.items():
        if key.startswith(_OF_SAGEMAKER):
            continue
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            raise InvalidHyperparameter(
                f"hyperparameter {key!r} is not known{hint}; there are: {', '.join(sorted(fields))}"
            )
        values[key] = _value(fields[key], _unquoted(text))
    return Config(**values)


def _unquoted(text: object) -> str:
    """The value without the JSON quotes that a tuning job puts around categorical values."""
    value = str(text).strip()
    if len(value) >= 2 and value[0] == value[-1] == '"':
        try:
            return str(json.loads(value)).strip()
        except ValueError:
            return value
    return value


def _value(spec: dataclasses.Field[Any], text: str) -> Any:
    if "choices" in spec.metadata:
        choices: tuple[str, ...] = spec.metadata["choices"]
        if text not in choices:
            raise InvalidHyperparameter(f"{spec.name}={text}: allowed are {', '.join(choices)}")
        return text
    if "range" not in spec.metadata:
        return text
    least, most, above, below = spec.metadata["range"]
    whole = isinstance(spec.default, int)
    allowed = (
        f"a{' whole' if whole else ''} number {'above' if above else 'from'} {least:.10g} "
        f"{'to below' if below else 'to'} {most:.10g}"
    )
    number = _number_in(text)
    wrong_kind = number is None or (whole and not number.is_integer())
    if (
        wrong_kind
        or number is None
        or not least <= number <= most
        or (above and number == least)
        or (below and number == most)
    ):
        raise InvalidHyperparameter(f"{spec.name}={text}: allowed is {allowed}")
    return int(number) if whole else number


def _number_in(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None
