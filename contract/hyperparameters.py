"""The hyperparameters of a training job: name, default, bounds and meaning of each.

Recipes are checked by these bounds before anything costs money, and the job checks them again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from contract.bounds import Choice, Number
from contract.jobs import PRETRAINED
from contract.networks import ARCHITECTURES, HEAD, SMALL_STEM, STAGE_FORM, STAGES, USUAL_STEM, names

OBJECTIVES: Final[Mapping[str, str]] = MappingProxyType(
    {"valid_accuracy": "maximize", "valid_loss": "minimize"}
)
"""The metrics that the best epoch and the best trial can be chosen by, each with its better direction."""


def _one_of(*words: str, default: str = "", **more: Any) -> Any:
    """One of `words`, the first unless `default` says otherwise; `more` is of `Choice`."""
    return field(default=default or words[0], metadata={"bounds": Choice(words=words, **more)})


def _number(default: float, least: float, most: float, *, above: bool = False, below: bool = False) -> Any:
    """A number as in `Number`, whole if its default is."""
    bounds = Number(least=least, most=most, whole=isinstance(default, int), above=above, below=below)
    return field(default=default, metadata={"bounds": bounds})


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """Everything a training job can be told. Each field is a hyperparameter of the same name."""

    arch: str = _one_of(*ARCHITECTURES, more=names, more_in_words="any other network of timm's")
    """The network, by timm's name (docs/networks.md)."""
    weights: str = _one_of("none", "imagenet", PRETRAINED)
    """What training starts from: fresh weights, ImageNet's (downloaded), or the channel `pretrained`."""
    trainable_from: str = _one_of(
        *STAGES,
        HEAD,
        form=STAGE_FORM,
        form_in_words="stage1, stage2 and so on, of other networks than ResNets",
    )
    """The first stage that is trained; those before it are frozen. `stem` trains everything, `head` the last
    layer alone."""

    stem: str = _one_of(USUAL_STEM, SMALL_STEM)
    """How a ResNet begins: usual makes a quarter of the picture's side at once, small leaves it whole, for
    pictures of some 32 pixels and fresh weights."""

    head: str = _one_of("mapped", "new")
    """How the last layer begins: mapped from that of the starting weights, by what their classes say of the
    training pictures, or new. Of fresh weights, and where the last layer is more than one, it is new."""
    image_size: int = _number(224, 8, 1024)
    """Side of the square the network sees, in pixels; where nobody says it, the network's own."""
    train_fraction: float = _number(1.0, 0.0, 1.0, above=True)
    """The share of each class's training pictures that is used."""
    augment: str = _one_of(
        *("none", "flip", "crop", "crop-flip", "random-resized-crop", "trivial"), default="flip"
    )
    """How training pictures are varied: mirrored left to right, cropped at random places, both or neither.
    Or by crops of random size, mirrored; or cropped, mirrored and changed by one of TrivialAugment's ways."""
    random_erasing: float = _number(0.0, 0.0, 1.0)
    """The share of training pictures in which a random rectangle is painted over."""
    crop_places: int = _number(0, 0, 64)
    """How many fixed variants of each picture there are, beside mirrored ones; 0 draws a new one each time.
    Of few variants, what frozen stages make of each is computed once and kept."""
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
    schedule: str = _one_of("constant", "cosine", "one-cycle", default="cosine")
    """How the learning rate runs after the warm-up."""
    warmup_epochs: float = _number(0.0, 0.0, 10_000.0)
    """Epochs, also parts of one, over which the learning rate rises to its highest."""
    label_smoothing: float = _number(0.0, 0.0, 1.0, below=True)
    """The share of each target that is spread over all classes."""
    class_weights: str = _one_of("none", "balanced")
    """Whether rare classes count more in the loss: balanced weighs each by one over its pictures."""
    probe_epochs: int = _number(0, 0, 10_000)
    """How many of the epochs come first and train the head alone; 0 trains all from the first step."""
    finetune_rate: float = _number(0.1, 0.0, 1.0, above=True)
    """What the learning rate is multiplied by after `probe_epochs`."""
    layer_decay: float = _number(1.0, 0.0, 1.0, above=True)
    """What the learning rate is multiplied by from each stage to the one before it; the head's is whole."""
    norm_statistics: str = _one_of("trained", "kept")
    """Whether batch normalisations of trained stages follow these pictures' statistics, or keep those of the
    weights that training starts from."""
    ema_decay: float = _number(0.0, 0.0, 1.0, below=True)
    """What a moving average of the weights keeps of itself at each step, such as 0.999; it is then what is
    judged and written. 0 takes the weights themselves."""
    mixup: float = _number(0.0, 0.0, 10.0)
    """The alpha of mixup: pictures are mixed in pairs, in shares of the beta distribution; 0 mixes none."""
    patience: int = _number(0, 0, 10_000)
    """Training ends after so many epochs without a better objective; 0 never ends it early."""
    seed: int = _number(0, 0, 2**31 - 1)
    """The same seed on the same machine gives the same numbers."""
    objective: str = _one_of(*OBJECTIVES)
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

    feature_cache: str = ""
    """Where jobs share what frozen stages make of pictures: an S3 prefix or a folder; empty is nowhere."""
    debug_rules: str = ""
    """The rules that watch the training: all, or a list of names (contract/debug_rules.py)."""
    debug_parameters: str = ""
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

    answer_precision: float = _number(0.95, 0.5, 1.0, below=True)
    """What is promised of answers that are marked certain: this share of them is right."""

    hourly_usd: float = _number(0.0, 0.0, 100_000.0)
    """What the machine costs by the hour, for the report; 0 where it costs nothing."""
    run: str = ""
    """The run this job belongs to; recorded in the model, nothing else."""
    dataset: str = ""
    """The data set's name; recorded in the model, nothing else."""
    dataset_version: int = _number(0, 0, 999_999_999)
    """The data set's version; recorded in the model, nothing else. 0 where there are no versions."""


BOUNDS: Final[Mapping[str, Number | Choice]] = MappingProxyType(
    {
        each.name: each.metadata["bounds"]
        for each in dataclasses.fields(Hyperparameters)
        if "bounds" in each.metadata
    }
)
"""What each may be; those that are missing here are any text."""


def why_not_in_time(epochs: float, warmup_epochs: float, probe_epochs: float, is_: str = "=") -> str:
    """Why there are too few epochs for what comes first; empty where there are enough.

    The warm-up is that of the probe and of what follows it, so it is shorter than either.
    """
    if probe_epochs and probe_epochs >= epochs:
        return f"probe_epochs{is_}{probe_epochs:g} has to be below epochs{is_}{epochs:g}"
    if warmup_epochs and warmup_epochs >= epochs:
        return f"warmup_epochs{is_}{warmup_epochs:g} has to be below epochs{is_}{epochs:g}"
    shorter = min(probe_epochs, epochs - probe_epochs)
    if probe_epochs and warmup_epochs and warmup_epochs >= shorter:
        return (
            f"warmup_epochs{is_}{warmup_epochs:g} has to be below {shorter:g}: it is the warm-up of the "
            f"{probe_epochs:g} probe_epochs and of the {epochs - probe_epochs:g} after them"
        )
    return ""


def unquoted(text: str) -> str:
    """The value without the JSON quotes that a tuning job puts around categorical values."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text
    return text
