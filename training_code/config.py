"""The job's hyperparameters, read and checked by what `contract/hyperparameters.py` allows.

SageMaker hands every hyperparameter over as a string, a tuning job's categorical values sometimes quoted
once more as JSON (`"16"` for `16`).
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contract import networks
from contract.bounds import Number
from contract.hyperparameters import BOUNDS, OBJECTIVES, Hyperparameters, unquoted, why_not_in_time
from training_code.errors import InvalidHyperparameter

_OF_SAGEMAKER: Final = ("sagemaker_", "_tuning_objective_metric")
"""Hyperparameters SageMaker adds for its own use begin so."""

OF_NO_NUMBER: Final = (
    *("debug_rules", "debug_parameters", "on_trigger", "debug_every", "debug_save", "profile"),
    *("profile_steps", "hourly_usd", "run", "dataset_version", "feature_cache", "processes", "max_skipped"),
    *("checkpoint_minutes", "allow_cpu", "answer_precision"),
)
"""Hyperparameters that change no number: a checkpoint may be resumed with another value."""


@dataclass(frozen=True, kw_only=True)
class Config(Hyperparameters):
    """The checked hyperparameters of this job."""

    def __post_init__(self) -> None:
        if why := why_not_in_time(self.epochs, self.warmup_epochs, self.probe_epochs):
            raise InvalidHyperparameter(why)
        if why := networks.why_no_stage(self.arch, self.trainable_from):
            raise InvalidHyperparameter(f"trainable_from={self.trainable_from}: {why}")
        if why := networks.why_no_stem(self.arch, self.stem, self.weights):
            raise InvalidHyperparameter(f"stem={self.stem}: {why}")

    @property
    def crops(self) -> bool:
        """Whether training pictures are cut at random places."""
        return self.augment not in ("none", "flip")

    @property
    def probing(self) -> int:
        """The first epochs that train the head alone before more is trained."""
        return 0 if self.trainable_from in (networks.HEAD, networks.STAGES[-1]) else self.probe_epochs

    @property
    def maximize(self) -> bool:
        """Whether a higher objective is better."""
        return OBJECTIVES[self.objective] == "maximize"


def parse(hyperparameters: Mapping[str, str]) -> Config:
    """The checked configuration from SageMaker's strings.

    Raises:
        InvalidHyperparameter: an unknown name, a value of the wrong type, or one out of range.
    """
    fields = {each.name for each in dataclasses.fields(Config)}
    values: dict[str, Any] = {}
    for key, text in hyperparameters.items():
        if key.startswith(_OF_SAGEMAKER):
            continue
        if key not in fields:
            raise InvalidHyperparameter(
                f"hyperparameter {key!r} is not known{hint(key, fields)}; "
                f"there are: {', '.join(sorted(fields))}"
            )
        values[key] = _value(key, unquoted(str(text).strip()).strip())
    arch = str(values.get("arch", Config.arch))
    values.setdefault("image_size", networks.backbone(arch).size)
    return Config(**values)


def hint(word: str, words: Iterable[str]) -> str:
    """Of the words there are the one that was meant, if any is near."""
    near = difflib.get_close_matches(word, sorted(words), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _value(key: str, text: str) -> str | float:
    bounds = BOUNDS.get(key)
    if isinstance(bounds, Number):
        number = _number_in(text)
        if number is None or not bounds.holds(number):
            raise InvalidHyperparameter(f"{key}={text}: allowed is {bounds.allowed}")
        return int(number) if bounds.whole else number
    if bounds is not None and not bounds.holds(text):
        raise InvalidHyperparameter(
            f"{key}={text}: allowed are {bounds.allowed.replace(' | ', ', ')}{hint(text, bounds.all_words)}"
        )
    return text


def _number_in(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if "_" not in text else None
