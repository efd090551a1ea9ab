"""Tiny datasets and jobs, made on the spot: what the tests of the training code work on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import contract
import judging
import reports
import training_code
from training_code.config import Config, parse
from training_code.data.batches import of_dataset
from training_code.data.dataset import Dataset, find
from training_code.data.dataset import load as load_dataset
from training_code.data.feature_cache import FeatureCache
from training_code.distributed.process_group import ProcessGroup
from training_code.hardware.machine import Machine
from training_code.job import Job
from training_code.network import model
from training_code.stopping import StopSignal
from training_code.training import loop
from training_code.training.callback import Callback
from training_code.training.checkpoints import Checkpoints
from training_code.training.progress import Trained

MACHINE = Machine(device=torch.device("cpu"), threads=1, bfloat16=False)
TINY = {"image_size": "16", "batch_size": "4", "epochs": "2", "augment": "crop-flip", "learning_rate": "0.01"}
COUNTS = {"train": 6, "valid": 3, "test": 2}
"""Pictures of each class and split."""


def picture(label: int, seed: int, side: int = 12) -> Image.Image:
    """Noise whose brightness tells the class."""
    noise = np.random.default_rng([label, seed]).integers(0, 120, (side, side, 3))
    return Image.fromarray((noise + 120 * label).astype(np.uint8))


def dataset(root: Path, classes: tuple[str, ...] = ("dark", "light")) -> Path:
    """Class folders of train, valid and test below `root`."""
    for start, (split, count) in enumerate(COUNTS.items()):
        for label, name in enumerate(classes):
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                picture(label, 100 * start + number).save(folder / f"{number}.png")
    return root


def job_folder(base: Path, pictures: Path, hyperparameters: Mapping[str, str]) -> Path:
    """A base folder as SageMaker lays it out, with the training code in its channel."""
    (base / "input" / "config").mkdir(parents=True)
    (base / "input" / "config" / "hyperparameters.json").write_text(json.dumps(dict(hyperparameters)))
    channels = base / "input" / "data"
    channels.mkdir()
    for split in pictures.iterdir():
        (channels / split.name).symlink_to(split)
    (channels / "code").mkdir()
    for package in (contract, judging, reports, training_code):
        home = Path(package.__file__).parent
        (channels / "code" / home.name).symlink_to(home)
    return base


def load(root: Path, config: Config) -> Dataset:
    """The dataset below `root`, decoded."""
    return load_dataset(find({split: root / split for split in COUNTS}, config), config, StopSignal())


def train(
    root: Path,
    folder: Path | None,
    stop: StopSignal | None = None,
    callback: Callback | None = None,
    job: Job | None = None,
    group: ProcessGroup | None = None,
    **hyperparameters: str,
) -> Trained:
    """Train on the dataset below `root`, with checkpoints in `folder`, as a job does."""
    config, stop, group = parse(TINY | hyperparameters), stop or StopSignal(), group or ProcessGroup()
    found = find({split: root / split for split in COUNTS}, config)
    network = model.build(config, len(found.classes), root / "no weights", MACHINE)
    cache = FeatureCache.of(network, config, MACHINE, group, job or Job(root / "no job", "tiny"))
    undecoded = cache.complete(found, StopSignal()) if cache else None
    pictures = load_dataset(found, config, StopSignal(), group, undecoded)
    train_batches, valid, _ = of_dataset(pictures, config, MACHINE, group, cache, StopSignal())
    checkpoints = Checkpoints(folder, loop.identity(config, pictures))
    return loop.train(network, train_batches, valid, config, checkpoints, stop, callback)


def numbers(trained: Trained) -> list[tuple[float, float, float]]:
    """What must be the same twice: the losses and accuracies of every epoch."""
    return [(epoch.train_loss, epoch.valid_loss, epoch.valid_accuracy) for epoch in trained.history]
