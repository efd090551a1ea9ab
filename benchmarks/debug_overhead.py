"""What looking on costs: a training step with debugging and profiling off, at their defaults, and at most.

The demo's network on pictures of its size (ResNet18, 32 pixels, batches of 64), the same steps in turn: no
observer at all; everything off; the default of a last training (all rules every tenth step, every step timed,
the first ten traced, the side processes running); everything at every step; and smdebug used naively (its own
hook, every tensor saved at every step; in float32, because it cannot save bfloat16, and against float32). A
row's time is the mean of its steps after the traced ones, the side
processes' share of the cores included; medians of several rounds. `make bench NAME=debug_overhead`, or with
ROUNDS and STEPS in the environment.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.harness import Row, publish
from training_code import data, loop, model
from training_code.batches import Batches
from training_code.checkpoints import Checkpoints
from training_code.config import Config, parse
from training_code.debugging.settings import Settings
from training_code.machine import Machine
from training_code.observer import Observer
from training_code.resnet import ResNet
from training_code.stopping import StopSignal
from training_code.watching import watching

ROUNDS = int(os.environ.get("ROUNDS", "3"))
STEPS = int(os.environ.get("STEPS", "200"))
BATCH = 64
TRACED = 12
"""The first steps, which a last training traces once; they are left out in every row."""
CLASSES = 10
NAIVE_STEPS = 12
"""Of the naive peer, which is many times slower."""

HYPERPARAMETERS = {
    "image_size": "32",
    "batch_size": str(BATCH),
    "epochs": "1",
    "augment": "crop",
    "learning_rate": "0.01",
    "seed": "7",
}


def pictures(root: Path, steps: int) -> Path:
    """Noise in class folders: `steps` batches to train on, one picture of each class in the other splits."""
    random = np.random.default_rng(7)
    for split, count in (("train", steps * BATCH // CLASSES), ("valid", 1), ("test", 1)):
        for label in range(CLASSES):
            folder = root / split / str(label)
            folder.mkdir(parents=True)
            for number in range(count):
                noise = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(noise).save(folder / f"{number}.png")
    return root


def seconds_per_step(
    root: Path,
    told: dict[str, str],
    prepare: Callable[[ResNet], Observer] | None = None,
    *,
    float32: bool = False,
) -> float:
    """Train once; the mean time of a step after the first ones."""
    config = parse(HYPERPARAMETERS | told)
    found = data.find({split: root / split for split in ("train", "valid", "test")}, config)
    dataset = data.load(found, config, StopSignal())
    machine = Machine.prepare(torch.get_num_threads(), config)
    if float32:
        machine = dataclasses.replace(machine, bfloat16=False)
    train, valid, _ = (Batches(split, dataset.transform, config, machine) for split in dataset.splits)
    network = model.build(config, CLASSES, root / "none", machine)
    ends: list[float] = []
    with _observed(config, network, prepare) as observer:
        clock = _Clock(observer)
        loop.train(network, train, valid, config, Checkpoints(None, {}), StopSignal(), clock)
        ends = clock.ends
    first = TRACED if len(ends) > 3 * TRACED else 1
    return (ends[-1] - ends[first - 1]) / (len(ends) - first)


class _Clock(Observer):
    """Passes everything on to an observer, and notes when each step is over."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.ends: list[float] = []
        self.training_begins = observer.training_begins  # type: ignore[method-assign]
        self.step_begins = observer.step_begins  # type: ignore[method-assign]
        self.phase = observer.phase  # type: ignore[method-assign]
        self.epoch_ends = observer.epoch_ends  # type: ignore[method-assign]
        self.training_ends = observer.training_ends  # type: ignore[method-assign]

    def step_ends(self, loss: Tensor) -> None:
        self._observer.step_ends(loss)
        self.ends.append(time.perf_counter())


@contextmanager
def _observed(
    config: Config, network: ResNet, prepare: Callable[[ResNet], Observer] | None
) -> Iterator[Observer]:
    output = Path(tempfile.mkdtemp(prefix="debug-overhead-"))
    try:
        if prepare is not None:
            yield prepare(network)
            return
        with watching(output, Settings.of(config), [str(each) for each in range(CLASSES)]) as looking:
            yield looking.observer or Observer()
    finally:
        shutil.rmtree(output)


def naive(network: ResNet) -> Observer:
    """smdebug as its introduction shows it: a hook that saves everything at every step."""
    from smdebug.pytorch import Hook, SaveConfig

    folder = tempfile.mkdtemp(prefix="debug-naive-")
    hook = Hook(out_dir=folder, save_all=True, save_config=SaveConfig(save_interval=1))
    hook.register_module(network)
    return Observer()


SYSTEMS: dict[str, dict[str, str]] = {
    "no observer": {},
    "off": {"debug_rules": "none", "profile": "off"},
    "default": {"debug_rules": "all", "profile": "on"},
    "everything on": {"debug_rules": "all", "debug_every": "1", "profile": "on"},
}


def main() -> None:
    """Measure in turn, and publish."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "0")) or len(os.sched_getaffinity(0)))
    os.environ["SMDEBUG_LOG_LEVEL"] = "error"
    times: dict[str, list[float]] = {name: [] for name in SYSTEMS}
    with tempfile.TemporaryDirectory() as scratch:
        root = pictures(Path(scratch) / "all", STEPS)
        few = pictures(Path(scratch) / "few", NAIVE_STEPS)
        seconds_per_step(few, {})  # first allocations
        for _ in range(ROUNDS):
            for name, told in SYSTEMS.items():
                times[name].append(seconds_per_step(root, told))
        times["no observer, float32"] = [seconds_per_step(few, {}, float32=True)]
        times["smdebug, everything saved, float32"] = [seconds_per_step(few, {}, naive, float32=True)]
    rows: list[Row] = [
        {
            "system": name,
            "ms_per_step": 1000 * statistics.median(measured),
            "least_ms": 1000 * min(measured),
            "overhead": _overhead(measured, times[_bare(name)]),
        }
        for name, measured in times.items()
    ]
    publish(
        "debug_overhead",
        rows,
        {
            "off_overhead": _overhead(times["off"], times["no observer"]),
            "default_overhead": _overhead(times["default"], times["no observer"]),
            "everything_overhead": _overhead(times["everything on"], times["no observer"]),
            "naive_overhead": _overhead(
                times["smdebug, everything saved, float32"], times["no observer, float32"]
            ),
            "steps": STEPS,
            "rounds": ROUNDS,
        },
    )


def _bare(name: str) -> str:
    return "no observer, float32" if name.endswith("float32") else "no observer"


def _overhead(measured: list[float], bare: list[float]) -> float:
    """By what share the steps take longer: the median of the rounds' own ratios."""
    return statistics.median(one / other for one, other in zip(measured, bare, strict=True)) - 1


if __name__ == "__main__":
    main()
