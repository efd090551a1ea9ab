"""The whole trainings of benchmarks/debug_overhead.py, and what all its trainings share."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training_code.config import Config, parse
from training_code.data.batches import Batches
from training_code.data.dataset import find, load
from training_code.debugging.settings import DebugSettings
from training_code.hardware.machine import Machine
from training_code.network import model
from training_code.network.network import Network
from training_code.profiling.profile import Profile
from training_code.stopping import StopSignal
from training_code.training import loop
from training_code.training.callback import PHASES, Callback, Callbacks
from training_code.training.checkpoints import Checkpoints
from training_code.watching.door import watching

BATCH = 64
CLASSES = 10
HYPERPARAMETERS = {
    "image_size": "32",
    "batch_size": str(BATCH),
    "epochs": "1",
    "augment": "crop",
    "learning_rate": "0.01",
    "seed": "7",
}

Prepare = Callable[[Network], Callback]


@dataclass
class Run:
    """What one training took, in seconds."""

    asked: list[float] = field(default_factory=list)
    """When the loop asked for the batch of each step."""
    begin: float = 0.0
    end: float = 0.0
    """Before and after the training, for whatever looks on."""
    step_sum_error: float | None = None
    wall_sum_error: float | None = None
    """By what share the profile's sums miss a clock outside: of the steps, and of all until the last one."""


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


def train(
    root: Path,
    own: dict[str, str],
    *,
    prepare: Prepare | None = None,
    float32: bool = False,
) -> Run:
    """Train once on the pictures below `root`.

    Args:
        own: hyperparameters besides the common ones.
        prepare: makes the callback, instead of what `own` asks for.
        float32: not in bfloat16, on a machine that has it.
    """
    config, run = parse(HYPERPARAMETERS | own), Run()
    network, train_batches, valid = parts(root, config, float32=float32)
    timed(train_batches, run.asked)
    with _observed(config, network, prepare, run) as callback:
        loop.train(network, train_batches, valid, config, Checkpoints(None, {}), StopSignal(), callback)
    return run


def parts(root: Path, config: Config, *, float32: bool = False) -> tuple[Network, Batches, Batches]:
    """A network, and the batches to train and to validate it on."""
    found = find({split: root / split for split in ("train", "valid", "test")}, config)
    dataset = load(found, config, StopSignal())
    machine = Machine.prepare(torch.get_num_threads(), config)
    if float32:
        machine = dataclasses.replace(machine, bfloat16=False)
    batches, valid, _ = (Batches(split, dataset.transform, config, machine) for split in dataset.splits)
    return model.build(config, CLASSES, root / "none", machine), batches, valid


def timed(batches: Batches, asked: list[float]) -> None:
    """Note when each batch is asked for."""
    original = batches.epoch

    def epoch(number: int, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        feed = original(number, first)
        while True:
            asked.append(time.perf_counter())
            try:
                yield next(feed)
            except StopIteration:
                return

    object.__setattr__(batches, "epoch", epoch)  # a frozen dataclass


class _Bracket(Callback):
    """A clock outside of what looks on, which it is told around."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.wall = 0.0

    def training_begins(self, network: Network, config: Config, batches: Batches) -> None:
        self._start = time.perf_counter()

    def step_begins(self, epoch: int, step: int) -> None:
        self._begun = time.perf_counter()

    def step_ends(self, loss: Tensor) -> None:
        now = time.perf_counter()
        self.steps.append(now - self._begun)
        self.wall = now - self._start


@contextlib.contextmanager
def _observed(
    config: Config, network: Network, prepare: Prepare | None, run: Run
) -> Iterator[Callback | None]:
    """What looks on, begun and ended; None when nobody does."""
    if prepare is not None:
        yield prepare(network)
        return
    output = Path(tempfile.mkdtemp(prefix="debug-overhead-"))
    bracket = _Bracket()
    try:
        begun = time.perf_counter()
        with watching(output, DebugSettings.of(config), [str(each) for each in range(CLASSES)]) as looking:
            run.begin = time.perf_counter() - begun
            yield Callbacks([bracket, looking.callback]) if looking.callback else None
            begun = time.perf_counter()
        run.end = time.perf_counter() - begun
        _compare(Profile.read(output / "debug" / "profile"), bracket, run)
    finally:
        shutil.rmtree(output)


def _compare(profile: Profile, bracket: _Bracket, run: Run) -> None:
    """How far the profile's sums are from the clock outside of it."""
    if not len(profile.steps.get("step", ())):
        return
    steps = sum(float(profile.steps[name].sum()) for name in (*PHASES, "rest"))
    everything = steps + float(profile.steps["between"].sum())
    run.step_sum_error = abs(steps / sum(bracket.steps) - 1)
    run.wall_sum_error = abs(everything / bracket.wall - 1)
