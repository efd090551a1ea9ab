"""The steady training throughput against the same step on tensors in memory; used by `benchmarks.training`.

Both run the training loop itself, a few steps in turn, in one process. "synthetic" gets the first batch of
each turn as the network takes it, again and again, so it pays for nothing but the step.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training_code.config import parse
from training_code.data.batches import Batches, of_dataset
from training_code.data.dataset import find, load
from training_code.data.feature_cache import FeatureCache
from training_code.distributed.process_group import ALONE
from training_code.hardware.cores import cores
from training_code.hardware.machine import Machine
from training_code.job import Job
from training_code.network import model
from training_code.stopping import StopSignal
from training_code.training import loop
from training_code.training.callback import Callback
from training_code.training.checkpoints import Checkpoints

_TURNS = 3
_STEPS = 4


class Resident(Batches):
    """Always the same tensors, ready for the network."""

    def epoch(self, epoch: int, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        examples, labels = self.training(epoch, first)
        ready = super().input(examples)
        while True:
            yield ready, labels

    def input(self, examples: Tensor) -> Tensor:
        return examples


def main(folder: Path, stage: str) -> None:
    """Print one JSON line: images per second of both."""
    config = parse({"trainable_from": stage, "batch_size": "64", "epochs": "2", "augment": "flip"})
    machine = Machine.prepare(cores(), config)
    found = find({split: folder / split for split in ("train", "valid", "test")}, config)
    network = model.build(config, len(found.classes), folder, machine)
    cache = FeatureCache.of(network, config, machine, ALONE, Job(folder / "no job", "limit"))
    dataset = load(found, config, StopSignal())
    batches, valid, _ = of_dataset(dataset, config, machine, ALONE, cache, StopSignal())
    parts = {name: getattr(batches, name) for name in batches.__dataclass_fields__}
    turns: dict[str, Any] = {"ours": batches, "synthetic": Resident(**parts)}
    rates: dict[str, list[float]] = {name: [] for name in turns}
    for turn in range(_TURNS + 1):
        for name, feed in turns.items():
            training = loop._Training(
                network, feed, valid, config, Checkpoints(None, {}), StopSignal(), Callback()
            )
            steps = training.batches.epoch(1, 0)
            network.train()
            start = time.perf_counter()
            seen = 0
            for step in range(min(_STEPS, feed.steps)):
                examples, labels = next(steps)
                training._step(feed.input(examples), machine.put(labels))
                training.progress.step = step
                seen += len(labels)
            if turn:  # the first is for warming up
                rates[name].append(seen / (time.perf_counter() - start))
    print(json.dumps({name: statistics.median(each) for name, each in rates.items()}))


if __name__ == "__main__":
    torch.manual_seed(0)
    main(Path(sys.argv[1]), sys.argv[2])
