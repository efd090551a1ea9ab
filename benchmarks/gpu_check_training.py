"""Training on pictures against the same step on tensors in memory; used by `benchmarks.gpu_check`.

A modern backbone is the first of `MODERN` that `training_code` offers. As long as it offers none,
torchvision's ConvNeXt-Tiny goes through the same loop instead, under its own name: the figures are the
loop's, not a job's.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor, nn

from benchmarks.training_limit import Resident
from training_code.config import Config, parse
from training_code.data.batches import Batches, of_dataset
from training_code.data.dataset import find, load
from training_code.data.feature_cache import FeatureCache
from training_code.distributed.process_group import ALONE
from training_code.errors import InvalidHyperparameter
from training_code.hardware.cores import cores
from training_code.hardware.machine import Machine
from training_code.job import Job
from training_code.network import model
from training_code.stopping import StopSignal
from training_code.training import loop
from training_code.training.callback import Callback
from training_code.training.checkpoints import Checkpoints

MODERN: Final = ("convnext_tiny", "efficientnet_v2_s", "vit_small_patch16_224", "vit_s_16")
_TURNS: Final = 3
_WARM_UP: Final = 3
"""Steps before the first turn: kernels are chosen and memory is taken."""


class Foreign(nn.Module):
    """torchvision's ConvNeXt-Tiny, with what the loop asks of a network."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        from torchvision.models import get_model

        self.network = get_model("convnext_tiny", weights=None, num_classes=classes)
        self.classes = classes
        self.freeze_point = 0

    def forward(self, x: Tensor, *, from_freeze_point: bool = False) -> Tensor:
        return self.network(x)  # type: ignore[no-any-return]


def main(folder: Path, arch: str, scale: dict[str, Any]) -> None:
    """Print one JSON line: images per second of both, and the peak of the GPU's memory."""
    name, config = chosen(arch, scale)
    machine = Machine.prepare(cores(), config)
    found = find({split: folder / split for split in ("train", "valid", "test")}, config)
    built: Any = Foreign(len(found.classes)) if name != config.arch else None
    if built is None:
        built = model.build(config, len(found.classes), folder, machine)
    else:
        machine.place(built)
    # A network of which nothing is frozen: what is fed are pixels.
    plain = model.build(parse({}), len(found.classes), folder, machine)
    cache = FeatureCache.of(plain, config, machine, ALONE, Job(folder / "no job", "check"))
    dataset = load(found, config, StopSignal())
    batches, valid, _ = of_dataset(dataset, config, machine, ALONE, cache, StopSignal())
    parts = {each: getattr(batches, each) for each in batches.__dataclass_fields__}
    turns: dict[str, Batches] = {"ours": batches, "synthetic": Resident(**parts)}
    rates: dict[str, list[float]] = {each: [] for each in turns}
    for turn in range(_TURNS + 1):
        for each, feed in turns.items():
            training = loop._Training(
                built, feed, valid, config, Checkpoints(None, {}), StopSignal(), Callback()
            )
            rate = images_per_second(training, feed, scale["steps"] if turn else _WARM_UP)
            if turn:
                rates[each].append(rate)
    gpu = machine.device.type == "cuda"
    told = {each: statistics.median(found) for each, found in rates.items()}
    peak = torch.cuda.max_memory_allocated() / 2**20 if gpu else None
    print(json.dumps({"network": name, "batch_size": config.batch_size, "gpu_mb": peak, **told}))


def chosen(arch: str, scale: dict[str, Any]) -> tuple[str, Config]:
    """The network's name, and a configuration; of another network where `training_code` has not this one."""
    told = {
        "batch_size": str(scale["batch_size"]),
        "image_size": str(scale["image_size"]),
        "epochs": "100",
        "augment": "flip",
    }
    if arch != "modern":
        return arch, parse({**told, "arch": arch})
    for each in MODERN:
        try:
            return each, parse({**told, "arch": each, "optimizer": "adamw", "learning_rate": "0.001"})
        except InvalidHyperparameter:
            continue
    return "torchvision convnext_tiny", parse({**told, "optimizer": "adamw", "learning_rate": "0.001"})


def images_per_second(training: Any, feed: Batches, steps: int) -> float:
    """Of so many steps, from the first to the end of the last on the device."""
    machine = feed.machine
    fed = _endless(feed)
    training.network.train()
    next(fed)
    _wait(machine)
    start, seen = time.perf_counter(), 0
    for step in range(steps):
        shown, labels = next(fed)
        training.progress.step = step % feed.steps
        training._step(feed.input(shown), machine.put(labels))
        seen += len(labels)
    _wait(machine)
    return seen / (time.perf_counter() - start)


def _endless(feed: Batches) -> Iterator[tuple[Tensor, Tensor]]:
    for epoch in count(1):
        yield from feed.epoch(epoch, 0)


def _wait(machine: Machine) -> None:
    if machine.device.type == "cuda":
        torch.cuda.synchronize()


if __name__ == "__main__":
    torch.manual_seed(0)
    main(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
