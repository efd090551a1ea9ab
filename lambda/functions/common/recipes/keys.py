"""Every key a recipe may have, with what is allowed for it: the one list that checking and suggestions use.

Keys that are hyperparameters have the training code's own bounds (contract/hyperparameters.py), so that a
mistake is found here, before anything costs money, and not by every trial of a tuning job.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from contract import instances
from contract.bounds import Choice, Number
from contract.debug_rules import PARAMETER, RULES
from contract.hyperparameters import BOUNDS
from contract.race import MAX_NETWORKS
from functions.common.errors import InvalidRecipe, listed, suggest


@dataclass(frozen=True, kw_only=True)
class Words:
    """A list of words of a form; with `words`, a misspelt one is told with its nearest."""

    form: str
    form_in_words: str
    words: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        return f"a list of {self.form_in_words}"

    def check(self, value: object, where: str) -> list[str]:
        """The list; see `check`."""
        items = value if isinstance(value, list) else [None]
        words = [word for word in items if isinstance(word, str) and re.fullmatch(self.form, word)]
        if len(words) != len(items):
            raise InvalidRecipe(f"{where} = {quoted(value)} is not allowed; it has to be {self.allowed}")
        for word in words:
            _check_known(word, self.words or words, where)
        return words


@dataclass(frozen=True, kw_only=True)
class Nested:
    """Tables of numbers: by name, the keys each may have."""

    keys: Mapping[str, Collection[str]]

    @property
    def allowed(self) -> str:
        return "tables of numbers, one for each rule"

    def check(self, value: object, where: str) -> dict[str, dict[str, float]]:
        """The tables; see `check`."""
        if not isinstance(value, Mapping) or not all(isinstance(each, Mapping) for each in value.values()):
            raise InvalidRecipe(f"{where} = {quoted(value)} is not allowed; it has to be {self.allowed}")
        for name, table in value.items():
            _check_known(name, self.keys, where)
            for key, number in table.items():
                _check_known(key, self.keys[name], f"{where}: {name}")
                check(PARAMETER, number, f"{where}: {name}.{key}")
        return {name: dict(table) for name, table in value.items()}


@dataclass(frozen=True, kw_only=True)
class Flag:
    """Yes or no."""

    allowed: str = "true or false"

    def check(self, value: object, where: str) -> bool:
        """The flag; 1 and "yes" are none. See `check`."""
        if not isinstance(value, bool):
            raise InvalidRecipe(f"{where} = {quoted(value)} is not allowed; it has to be {self.allowed}")
        return value


Key = Number | Choice | Words | Nested | Flag


def check(key: Key, value: object, where: str) -> Any:
    """The value as the recipe has it.

    Raises:
        InvalidRecipe: it is not allowed; the message says what is.
    """
    if isinstance(key, Number):
        return _number(key, value, where)
    return _word(key, value, where) if isinstance(key, Choice) else key.check(value, where)


def _check_known(word: str, choices: Collection[str], where: str) -> None:
    if word not in choices:
        near = suggest(word, choices) or ";"
        raise InvalidRecipe(f"{where} has no {quoted(word)}{near} there are: {listed(choices)}")


def _number(key: Number, value: object, where: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
        raise InvalidRecipe(f"{where} = {quoted(value)} is not allowed; it has to be {key.allowed}")
    if not key.holds(value):
        raise InvalidRecipe(f"{where} = {quoted(value)} is out of range; it has to be {key.allowed}")
    return int(value) if key.whole else float(value)


def _word(key: Choice, value: object, where: str) -> str:
    if isinstance(value, str) and key.holds(value):
        return value
    near = suggest(value, key.all_words) if isinstance(value, str) else ""
    raise InvalidRecipe(f"{where} = {quoted(value)} is not allowed{near or ';'} it has to be {key.allowed}")


S3_URI = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/\S+"


def _of_job(*names: str) -> dict[str, Key]:
    return {name: BOUNDS[name] for name in names}


MODEL: Mapping[str, Key] = {
    **_of_job("arch", "stem", "head", "trainable_from"),
    "weights": Choice(words=("imagenet", "none"), form=S3_URI, form_in_words="s3://bucket/key"),
}
DATA: Mapping[str, Key] = _of_job(
    "image_size", "train_fraction", "max_skipped", "crop_places", "augment", "random_erasing"
)
TRAINING: Mapping[str, Key] = _of_job(
    *("optimizer", "epochs", "batch_size", "learning_rate", "momentum", "weight_decay", "eps", "schedule"),
    *("warmup_epochs", "label_smoothing", "class_weights", "patience", "precision", "memory_format"),
    *("compile", "processes", "checkpoint_minutes", "seed"),
    *("probe_epochs", "finetune_rate", "layer_decay", "norm_statistics", "ema_decay", "mixup"),
)
HYPERPARAMETERS: Mapping[str, Key] = {**MODEL, **DATA, **TRAINING}
"""The tables [model], [data] and [training] in one: each key is a hyperparameter of the training job."""

WARM_START_TYPES = {"identical": "IdenticalDataAndAlgorithm", "transfer": "TransferLearning"}
"""A recipe's words and SageMaker's: the same data and code with other ranges, or anything that changed."""
MAX_WARM_START = 5

TUNING: Mapping[str, Key] = {
    "strategy": Choice(words=("Bayesian", "Random", "Grid", "Hyperband")),
    "objective": BOUNDS["objective"],
    "direction": Choice(words=("maximize", "minimize")),
    "max_jobs": Number(least=1, most=750, whole=True),
    "parallel_jobs": Number(least=1, most=100, whole=True),
    "early_stopping": Choice(words=("Off", "Auto")),
    # The whole search's limit. SageMaker's least is two minutes.
    "max_runtime_minutes": Number(least=2, most=180 * 24 * 60, whole=True),
    # When to end before max_jobs: good enough, no better for so many trials (SageMaker's least is 3), or when
    # SageMaker sees that nothing better will come.
    "target": Number(least=-1e9, most=1e9),
    "stop_after_not_improving": Number(least=3, most=750, whole=True),
    "stop_on_convergence": Flag(),
    "warm_start": Words(
        form=r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,31}",
        form_in_words="names of tuning jobs that have ended, five at most",
    ),
    "warm_start_type": Choice(words=tuple(WARM_START_TYPES)),
}
RESOURCES: Mapping[str, Key] = {
    "instance_type": Choice(form=instances.FORM, form_in_words="an instance type like ml.c7i.2xlarge"),
    # SageMaker's longest job is 28 days; a tuning job's trials need two minutes at least.
    "max_runtime_minutes": Number(least=2, most=28 * 24 * 60, whole=True),
    "instance_count": Number(least=1, most=20, whole=True),
    "volume_gb": Number(least=1, most=16_384, whole=True),
    # File downloads the pictures before a job starts, FastFile reads each from S3 when it is decoded.
    "input_mode": Choice(words=("File", "FastFile")),
    "spot": Flag(),
    # Jobs with frozen stages may keep what those compute in S3, for the other jobs: that takes the network.
    "network": Flag(),
    # A job on a GPU instance whose GPU cannot be used fails at once, unless it may go on at the GPU's price.
    "allow_cpu": Flag(),
    # How long a spot job may wait for instances and run together; at least max_runtime_minutes.
    "max_wait_minutes": Number(least=2, most=28 * 24 * 60, whole=True),
    "max_cost_usd": Number(least=0, most=1_000_000),
    "usd_per_hour": Number(least=0, most=1_000),
}
DEBUG: Mapping[str, Key] = {
    "rules": Words(
        form=r"[a-z][a-z0-9_]*", form_in_words="rule names like vanishing_gradient", words=("all", *RULES)
    ),
    "parameters": Nested(keys=RULES),
    "on_trigger": BOUNDS["on_trigger"],
    "every": BOUNDS["debug_every"],
    "save": BOUNDS["debug_save"],
    "managed_rules": Flag(),
}
_NETWORKS = Words(
    form=r"[a-z0-9][a-z0-9_.]{1,80}",
    form_in_words=f"networks by timm's names, {MAX_NETWORKS} at most in all",
)
RACE: Mapping[str, Key] = {
    # Those that start from published weights, and those that start from none.
    "networks": _NETWORKS,
    "fresh": _NETWORKS,
    "max_ms": Number(least=0.01, most=60_000),
    "max_mb": Number(least=0.1, most=10_000),
    "max_minutes": Number(least=2, most=24 * 60, whole=True),
    # How many of the best the search then tunes.
    "finalists": Number(least=1, most=2, whole=True),
}
ANSWER: Mapping[str, Key] = {"precision": BOUNDS["answer_precision"]}
PROFILE: Mapping[str, Key] = {
    "enabled": Flag(),
    "traced_steps": BOUNDS["profile_steps"],
}

TABLES: Mapping[str, Mapping[str, Key]] = MappingProxyType(
    {
        "model": MODEL,
        "data": DATA,
        "training": TRAINING,
        "race": RACE,
        "tuning": TUNING,
        "final": HYPERPARAMETERS,
        "resources": RESOURCES,
        "debug": DEBUG,
        "profile": PROFILE,
        "answer": ANSWER,
    }
)

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "model": ("arch", "weights"),
    "training": ("epochs",),
    "tuning": ("strategy", "objective", "direction", "max_jobs", "parallel_jobs"),
}
"""What a recipe cannot leave to the training code, because the jobs are built from it. [tuning] itself is
optional.
"""


def _finite(value: float) -> bool:
    return isinstance(value, int) or math.isfinite(value)  # a large enough int is no float


def quoted(value: object) -> str:
    """The value as a message shows it: text in double quotes, the rest as Python writes it, never long."""
    try:
        text = f'"{value}"' if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # an int of thousands of digits, or brackets in brackets
        text = f"{type(value).__name__} of a size that nobody wrote by hand"
    return text if len(text) <= 80 else text[:77] + "..."
