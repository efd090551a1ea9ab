"""Decodes a data set and trains a few steps on it; used by `benchmarks.training`, which looks at its peak."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from training_code.config import parse
from training_code.data.augmentation import Augmentation
from training_code.data.batches import Batches
from training_code.data.dataset import find, load
from training_code.hardware.cores import cores
from training_code.hardware.machine import Machine
from training_code.network import model
from training_code.stopping import StopSignal
from training_code.training import loop
from training_code.training.callback import Callback
from training_code.training.checkpoints import Checkpoints

_STEPS = 6


def main(folder: Path) -> None:
    """Print one JSON line: how many pictures there were."""
    config = parse({"batch_size": "64", "augment": "flip"})
    machine = Machine.prepare(cores(), config)
    found = find({split: folder / split for split in ("train", "valid", "test")}, config)
    network = model.build(config, len(found.classes), folder, machine)
    dataset = load(found, config, StopSignal())
    batches = Batches(dataset.train, dataset.transform, config, machine, Augmentation.of(config, "train"))
    training = loop._Training(
        network, batches, batches, config, Checkpoints(None, {}), StopSignal(), Callback()
    )
    network.train()
    for step, (images, labels) in zip(range(_STEPS), batches.epoch(1, 0), strict=False):
        training.progress.step = step
        training._step(batches.input(images), machine.put(labels))
    print(json.dumps({"pictures": len(dataset.train)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
