"""Short real trainings under the debugger, with a fault planted or without: what the rules make of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from tests.unit.training_code.samples import MACHINE, load
from training_code.config import parse
from training_code.data.batches import Batches
from training_code.debugging.capture import Capture
from training_code.debugging.rule_runner import evaluate_folder
from training_code.debugging.settings import DebugSettings
from training_code.errors import TrainingDiverged
from training_code.findings import Findings
from training_code.network.resnet import BasicBlock, ResNet
from training_code.stopping import StopSignal
from training_code.training import loop
from training_code.training.checkpoints import Checkpoints

SHORT = {
    "image_size": "16",
    "batch_size": "8",
    "epochs": "3",
    "augment": "none",
    "learning_rate": "0.01",
    "debug_rules": "all",
    "debug_every": "1",
    "seed": "7",
}


def network(classes: int) -> ResNet:
    """The smallest ResNet: one block in each stage."""
    torch.manual_seed(7)
    built = ResNet(BasicBlock, (1, 1, 1, 1), classes)
    built.freeze_before("stem")
    return built


def classes_of_noise(
    root: Path, counts: dict[str, tuple[int, int]], step: int = 120, *, random: bool = False
) -> Path:
    """Pictures whose brightness tells the class, or nothing does; `counts` are train and valid of each."""
    for label, (name, (train, valid)) in enumerate(counts.items()):
        for split, count in (("train", train), ("valid", valid), ("test", 1)):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                noise = np.random.default_rng([label, number, len(split)]).integers(
                    0, 255 - step, (12, 12, 3)
                )
                pixels = noise + (0 if random else step * label)
                Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    return root


def debug(pictures: Path, plant: Callable[[ResNet], None] | None = None, **hyperparameters: str) -> Findings:
    """Train, and put what was captured to the rules."""
    config = parse(SHORT | hyperparameters)
    settings = DebugSettings.of(config)
    dataset = load(pictures, config)
    train, valid, _ = (Batches(split, dataset.transform, config, MACHINE) for split in dataset.splits)
    built = network(len(dataset.classes))
    if plant:
        with torch.no_grad():
            plant(built)
    with tempfile.TemporaryDirectory() as folder:
        capture = Capture(Path(folder), settings, dataset.classes)
        try:
            loop.train(built, train, valid, config, Checkpoints(None, {}), StopSignal(), capture)
        except TrainingDiverged:
            pass
        finally:
            capture.end()
        return evaluate_folder(Path(folder), settings.debug_rules)


def found(findings: Findings) -> list[str]:
    """The rules that found something of their own; each has to say what to change, and what that gains."""
    for each in findings.findings:
        assert all((each.change, each.gain, each.how)), each
    return [each.rule for each in findings.findings]


def sigmoid_stack(network: ResNet) -> None:
    """Replace the residual stages by convolutions with sigmoids between them."""

    def stage(channels_in: int, channels_out: int) -> nn.Sequential:
        layers: list[nn.Module] = []
        for number in range(3):
            layers += [
                nn.Conv2d(channels_out if number else channels_in, channels_out, 3, 1, 1),
                nn.Sigmoid(),
            ]
        return nn.Sequential(*layers)

    network.layer1, network.layer2 = stage(64, 32), stage(32, 32)
    network.layer3, network.layer4 = stage(32, 32), stage(32, 512)
