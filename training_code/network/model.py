"""The network to train: built by its name, given its starting weights, frozen up to where training begins."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
from torch import nn

from contract import networks
from training_code.config import Config
from training_code.errors import InvalidHyperparameter
from training_code.hardware.machine import Machine
from training_code.network import weights
from training_code.network.fresh import fresh
from training_code.network.network import Network


def build(config: Config, classes: int, pretrained: Path, machine: Machine) -> Network:
    """The network on its device, ready for the first step; its last layer is always new.

    `pretrained` is the channel with starting weights, read when the configuration says so.

    Raises:
        UnusableWeights: see `training_code.network.weights`.
        InvalidHyperparameter: see `fresh`.
    """
    torch.manual_seed(config.seed)
    network = fresh(config.arch, classes, config.image_size, config.stem)
    if config.weights != "none":
        start = (
            weights.imagenet(config.arch)
            if config.weights == "imagenet"
            else weights.from_channel(pretrained, config.arch)
        )
        fitted = weights.fitted(network, config.arch, start)
        network.load_state_dict(fitted.tensors, strict=False)
        network.old_head = fitted.old_head
        network.origin = start.describe()
        print(
            f"starting weights: {start.source}, licence {start.licence}, sha256 {start.sha256[:16]}",
            flush=True,
        )
        if restriction := networks.restriction(f"the weights of {config.arch}", start.licence):
            print(f"warning: {restriction}", flush=True)
    elif config.trainable_from != networks.STEM:
        print(
            f"note: weights are none, so the frozen stages before {config.trainable_from} stay random",
            flush=True,
        )
    network.keeps_statistics = config.norm_statistics == "kept"
    network.freeze_before(config.trainable_from)
    if network.freeze_point and not network.is_cut:
        print(
            f"note: a {config.arch} cannot be cut before {config.trainable_from}, so what its frozen stages "
            f"make of pictures is computed anew in every epoch; before head it can",
            flush=True,
        )
    machine.place(network)
    return network


def compiled(network: nn.Module, config: Config) -> nn.Module:
    """The network, rewritten by torch.compile if that is asked for.

    Raises:
        InvalidHyperparameter: there is no C++ compiler, without which torch.compile cannot work.
    """
    if config.compile == "off":
        return network
    if shutil.which(os.environ.get("CXX", "g++")) is None:
        raise InvalidHyperparameter("compile=on needs a C++ compiler (g++), which this machine lacks")
    return torch.compile(network)  # type: ignore[return-value]
