"""The trainings of benchmarks/debug_overhead.py: watched, not watched, or by a loop without observers."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import inspect
import io
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training_code import data, loop, model
from training_code.batches import Batches
from training_code.checkpoints import Checkpoints
from training_code.config import Config, parse
from training_code.debugging.settings import Settings
from training_code.machine import Machine
from training_code.observer import PHASES, Observer, Observers
from training_code.profiling.data import Profile
from training_code.resnet import ResNet
from training_code.stopping import StopSignal
from training_code.watching import watching

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
_OF_OBSERVERS = ("observer.", "self.observer.", "self._tell_step_ended")

Prepare = Callable[[ResNet], Observer]


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


def bare_loop() -> ModuleType:
    """The training loop with every call of an observer cut out of its source.

    `off` is this repository's loop as it is, with the observer whose methods do nothing.
    """

    class Cut(ast.NodeTransformer):
        def visit_Expr(self, node: ast.Expr) -> ast.AST:
            called = isinstance(node.value, ast.Call) and ast.unparse(node.value.func)
            return ast.Pass() if called and called.startswith(_OF_OBSERVERS) else node

    tree = ast.fix_missing_locations(Cut().visit(ast.parse(inspect.getsource(loop))))
    left = ast.unparse(tree).count("observer.")
    assert not left, f"{left} calls of an observer are left"
    bare = ModuleType("training_code.loop_without_observers")
    bare.__dict__["__package__"] = "training_code"
    sys.modules[bare.__name__] = bare
    exec(compile(tree, "<loop without observers>", "exec"), bare.__dict__)
    return bare


def train(
    root: Path,
    told: dict[str, str],
    *,
    by: ModuleType = loop,
    prepare: Prepare | None = None,
    float32: bool = False,
) -> Run:
    """Train once on the pictures below `root`.

    Args:
        told: hyperparameters besides the common ones.
        by: the loop.
        prepare: makes the observer, instead of what `told` asks for.
        float32: not in bfloat16, on a machine that has it.
    """
    config, run = parse(HYPERPARAMETERS | told), Run()
    network, train_batches, valid = parts(root, config, float32=float32)
    timed(train_batches, run.asked)
    with _observed(config, network, prepare, run) as observer:
        by.train(network, train_batches, valid, config, Checkpoints(None, {}), StopSignal(), observer)
    return run


def parts(root: Path, config: Config, *, float32: bool = False) -> tuple[ResNet, Batches, Batches]:
    """A network, and the batches to train and to validate it on."""
    found = data.find({split: root / split for split in ("train", "valid", "test")}, config)
    dataset = data.load(found, config, StopSignal())
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


def between_blocks(root: Path, pairs: int, steps: int) -> list[float]:
    """By what factor `steps` steps with the observer that does nothing take longer than without any, pair by
    pair: the same network, batches and memory, the two loops in turn.
    """
    config = parse(HYPERPARAMETERS)
    network, batches, valid = parts(root, config)
    assert batches.steps == steps
    given = (network, batches, valid, config, Checkpoints(None, {}), StopSignal(), Observer())
    off = loop._Training(*given)
    bare = bare_loop()._Training(*given)
    bare.__dict__ = off.__dict__

    def seconds(training: Any) -> float:
        training.progress.step = 0
        begun = time.perf_counter()
        training._train_epoch()
        return time.perf_counter() - begun

    factors = []
    with contextlib.redirect_stdout(io.StringIO()):  # the loop's own progress
        seconds(off), seconds(bare)
        for pair in range(pairs):
            order = (off, bare) if pair % 2 else (bare, off)
            took = {each is off: seconds(each) for each in order}
            factors.append(took[True] / took[False])
    return factors


def calls_of_a_step() -> float:
    """Seconds that the calls of an observer that does nothing take in a step."""
    observer, loss, times = Observer(), torch.zeros(()), 100_000
    begun = time.perf_counter()
    for step in range(times):
        observer.step_begins(1, step)
        for name in PHASES:
            observer.phase(name)
        observer.step_ends(loss)
    return (time.perf_counter() - begun) / times


class _Bracket(Observer):
    """A clock outside of what looks on, which it is told around."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self.wall = 0.0

    def training_begins(self, network: ResNet, config: Config, batches: Batches) -> None:
        self._start = time.perf_counter()

    def step_begins(self, epoch: int, step: int) -> None:
        self._begun = time.perf_counter()

    def step_ends(self, loss: Tensor) -> None:
        now = time.perf_counter()
        self.steps.append(now - self._begun)
        self.wall = now - self._start


@contextlib.contextmanager
def _observed(
    config: Config, network: ResNet, prepare: Prepare | None, run: Run
) -> Iterator[Observer | None]:
    """What looks on, begun and ended; None when nobody does."""
    if prepare is not None:
        yield prepare(network)
        return
    output = Path(tempfile.mkdtemp(prefix="debug-overhead-"))
    bracket = _Bracket()
    try:
        begun = time.perf_counter()
        with watching(output, Settings.of(config), [str(each) for each in range(CLASSES)]) as looking:
            run.begin = time.perf_counter() - begun
            yield Observers([bracket, looking.observer]) if looking.observer else None
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
