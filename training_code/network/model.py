"""The network to train: built by its name, given its starting weights, frozen up to where training begins."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch
from torch import nn

from contract.networks import STAGES
from training_code.config import Config
from training_code.errors import InvalidHyperparameter
from training_code.hardware.machine import Machine
from training_code.network import weights
from training_code.network.resnet import ResNet, resnet


def build(config: Config, classes: int, pretrained: Path, machine: Machine) -> ResNet:
    """The network on its device, ready for the first step; its last layer is always new.

    `pretrained` is the channel with starting weights, read when the configuration says so.

    Raises:
        UnusableWeights: see `training_code.network.weights`.
    """
    torch.manual_seed(config.seed)
    network = resnet(config.arch, classes)
    if config.weights == "imagenet":
        network.load_state_dict(weights.imagenet(config.arch), strict=False)
    elif config.weights == "pretrained":
        network.load_state_dict(weights.from_channel(pretrained, config.arch), strict=False)
    elif config.trainable_from != STAGES[0]:
        print(
            f"note: weights are none, so the frozen stages before {config.trainable_from} stay random",
            flush=True,
        )
    network.freeze_before(config.trainable_from)
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
