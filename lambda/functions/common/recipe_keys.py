"""Every key a recipe may have, with what is allowed for it: the one list that checking and suggestions use.

A key says its kind and its bounds, and can check one value. Bounds are wide on purpose: they keep out what
cannot work (a learning rate of 0, a batch of -1), not what is merely unwise. They are those of the training
code, so that a mistake is found here, before anything costs money, and not by every trial of a tuning job.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from functions.common.errors import InvalidRecipe, listed, suggest
from functions.common.insight_rules import RULES


@dataclass(frozen=True, kw_only=True)
class Number:
    """A number from `least` to `most`; with `above` or `below` that bound itself is not allowed."""

    least: float
    most: float
    whole: bool = False
    above: bool = False
    below: bool = False

    @property
    def allowed(self) -> str:
        return (
            f"a {'whole ' if self.whole else ''}number {'above' if self.above else 'from'} {self.least:.10g} "
            f"{'to below' if self.below else 'to'} {self.most:.10g}"
        )

    def check(self, value: object, where: str) -> int | float:
        """The value as int or float.

        Raises:
            InvalidRecipe: not a number (true is none), not whole where it has to be, or out of bounds.
        """
        if isinstance(value, bool) or not isinstance(value, int | float) or not _finite(value):
            raise InvalidRecipe(f"{where} = {shown(value)} is not allowed; it has to be {self.allowed}")
        outside = not self.least <= value <= self.most
        at_open_bound = (self.above and value == self.least) or (self.below and value == self.most)
        if outside or at_open_bound or (self.whole and value != int(value)):
            raise InvalidRecipe(f"{where} = {shown(value)} is out of range; it has to be {self.allowed}")
        return int(value) if self.whole else float(value)


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of a few words, or a text of a form."""

    words: tuple[str, ...] = ()
    form: str = ""
    """A regular expression; a text that matches it is allowed too."""
    form_in_words: str = ""

    @property
    def allowed(self) -> str:
        return " | ".join([*self.words, *([self.form_in_words] if self.form else [])])

    def check(self, value: object, where: str) -> str:
        """The word.

        Raises:
            InvalidRecipe: not one of them; the message has the nearest and all of them.
        """
        if isinstance(value, str) and (value in self.words or (self.form and re.fullmatch(self.form, value))):
            return value
        near = suggest(value, self.words) if isinstance(value, str) else ""
        raise InvalidRecipe(
            f"{where} = {shown(value)} is not allowed{near or ';'} it has to be {self.allowed}"
        )


@dataclass(frozen=True, kw_only=True)
class Words:
    """A list of words of a form; with `known`, a misspelt one is told with its nearest."""

    form: str
    form_in_words: str
    known: tuple[str, ...] = ()

    @property
    def allowed(self) -> str:
        return f"a list of {self.form_in_words}"

    def check(self, value: object, where: str) -> list[str]:
        """The list.

        Raises:
            InvalidRecipe: not a list, or an item of another form.
        """
        items = value if isinstance(value, list) else [None]
        words = [word for word in items if isinstance(word, str) and re.fullmatch(self.form, word)]
        if len(words) != len(items):
            raise InvalidRecipe(f"{where} = {shown(value)} is not allowed; it has to be {self.allowed}")
        for word in words:
            if self.known and word not in self.known:
                raise InvalidRecipe(
                    f"{where} has no {shown(word)}{suggest(word, self.known) or ';'} there are: "
                    f"{listed(self.known)}"
                )
        return words


@dataclass(frozen=True, kw_only=True)
class Nested:
    """Tables of numbers: by name, the keys each may have."""

    keys: Mapping[str, tuple[str, ...]]

    @property
    def allowed(self) -> str:
        return "tables of numbers, one for each rule"

    def check(self, value: object, where: str) -> dict[str, dict[str, float]]:
        """The tables.

        Raises:
            InvalidRecipe: a name or a key that is unknown, or a value that is no number.
        """
        if not isinstance(value, Mapping) or not all(isinstance(each, Mapping) for each in value.values()):
            raise InvalidRecipe(f"{where} = {shown(value)} is not allowed; it has to be {self.allowed}")
        for name, table in value.items():
            if name not in self.keys:
                raise InvalidRecipe(
                    f"{where} has no {shown(name)}{suggest(name, self.keys) or ';'} there are: "
                    f"{listed(self.keys)}"
                )
            for key, number in table.items():
                if key not in self.keys[name]:
                    raise InvalidRecipe(
                        f"{where}: {name} has no {shown(key)}{suggest(key, self.keys[name]) or ';'} "
                        f"there are: {listed(self.keys[name])}"
                    )
                Number(least=-1e12, most=1e12).check(number, f"{where}: {name}.{key}")
        return {name: dict(table) for name, table in value.items()}


@dataclass(frozen=True, kw_only=True)
class Flag:
    """Yes or no."""

    allowed: str = "true or false"

    def check(self, value: object, where: str) -> bool:
        """The flag.

        Raises:
            InvalidRecipe: neither true nor false; 1 and "yes" are not.
        """
        if not isinstance(value, bool):
            raise InvalidRecipe(f"{where} = {shown(value)} is not allowed; it has to be {self.allowed}")
        return value


Key = Number | Choice | Words | Nested | Flag

S3_URI = r"s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]/\S+"

MODEL: Mapping[str, Key] = {
    "arch": Choice(words=("resnet18", "resnet34", "resnet50")),
    "weights": Choice(words=("imagenet", "none"), form=S3_URI, form_in_words="s3://bucket/key"),
    "trainable_from": Choice(words=("stem", "layer1", "layer2", "layer3", "layer4", "fc")),
}
DATA: Mapping[str, Key] = {
    "image_size": Number(least=8, most=1024, whole=True),
    "train_fraction": Number(least=0, most=1, above=True),
    "max_skipped": Number(least=0, most=1),
    "crop_places": Number(least=0, most=64, whole=True),
    "augment": Choice(words=("none", "flip", "crop", "crop-flip")),
}
TRAINING: Mapping[str, Key] = {
    "optimizer": Choice(words=("sgd", "adamw")),
    "epochs": Number(least=1, most=10_000, whole=True),
    "batch_size": Number(least=2, most=65_536, whole=True),
    "learning_rate": Number(least=0, most=100, above=True),
    "momentum": Number(least=0, most=1, below=True),
    "weight_decay": Number(least=0, most=10),
    "eps": Number(least=0, most=1, above=True),
    "schedule": Choice(words=("constant", "cosine", "one-cycle")),
    "warmup_epochs": Number(least=0, most=10_000),
    "label_smoothing": Number(least=0, most=1, below=True),
    "class_weights": Choice(words=("none", "balanced")),
    "patience": Number(least=0, most=10_000, whole=True),
    "precision": Choice(words=("auto", "bfloat16", "float32")),
    "memory_format": Choice(words=("auto", "channels_last", "contiguous")),
    "compile": Choice(words=("off", "on")),
    "processes": Number(least=0, most=64, whole=True),
    "checkpoint_minutes": Number(least=0, most=1440),
    "seed": Number(least=0, most=2**31 - 1, whole=True),
}
HYPERPARAMETERS: Mapping[str, Key] = {**MODEL, **DATA, **TRAINING}
"""The tables [model], [data] and [training] in one: each key is a hyperparameter of the training job."""

WARM_START_TYPES = {"identical": "IdenticalDataAndAlgorithm", "transfer": "TransferLearning"}
"""A recipe's words and SageMaker's: the same data and code with other ranges, or anything that changed."""
MAX_WARM_START = 5

TUNING: Mapping[str, Key] = {
    "strategy": Choice(words=("Bayesian", "Random", "Grid", "Hyperband")),
    "objective": Choice(words=("valid_accuracy", "valid_loss")),
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
    "instance_type": Choice(
        form=r"ml\.[a-z0-9-]+\.[a-z0-9]+", form_in_words="an instance type like ml.c7i.2xlarge"
    ),
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
        form=r"[a-z][a-z0-9_]*", form_in_words="rule names like vanishing_gradient", known=("all", *RULES)
    ),
    "parameters": Nested(keys=RULES),
    "on_trigger": Choice(words=("report", "notify", "stop")),
    "every": Number(least=0, most=1_000_000, whole=True),
    "save": Choice(words=("reductions", "tensors")),
    "managed_rules": Flag(),
}
PROFILE: Mapping[str, Key] = {
    "enabled": Flag(),
    "traced_steps": Number(least=0, most=1000, whole=True),
}

TABLES: Mapping[str, Mapping[str, Key]] = MappingProxyType(
    {
        "model": MODEL,
        "data": DATA,
        "training": TRAINING,
        "tuning": TUNING,
        "final": HYPERPARAMETERS,
        "resources": RESOURCES,
        "debug": DEBUG,
        "profile": PROFILE,
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


def shown(value: object) -> str:
    """The value as a message shows it: text in double quotes, the rest as Python writes it, never long."""
    try:
        text = f'"{value}"' if isinstance(value, str) else repr(value)
    except (ValueError, RecursionError):  # an int of thousands of digits, or brackets in brackets
        text = f"{type(value).__name__} of a size that nobody wrote by hand"
    return text if len(text) <= 80 else text[:77] + "..."
