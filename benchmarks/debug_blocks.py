"""Trainings in turn, a few steps of each: how two ways to watch one training differ on a machine that drifts.

The ways share one network, its optimiser, its pictures and its memory. Each has the loop of its own, out of
which a `yield` after every step makes a generator, and its own callback; the bare one's loop has no call of
a callback left. While one way's steps are run the others' side processes are stopped (SIGSTOP), so that
they take nothing from steps that are not theirs; its own go on where they were.
"""

from __future__ import annotations

import ast
import contextlib
import copy
import inspect
import math
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import psutil

from benchmarks.debug_training import CLASSES, HYPERPARAMETERS, parts
from contract.jobs import DEBUG
from training_code.config import parse
from training_code.debugging.settings import DebugSettings
from training_code.findings import FILE
from training_code.stopping import StopSignal
from training_code.training import loop
from training_code.training.callback import Callback
from training_code.training.checkpoints import Checkpoints
from training_code.watching.door import watching

_OF_CALLBACKS = ("callback.", "self.callback.", "self._tell_step_ended")
_LAST_OF_A_STEP = "self._save_now_and_then"
_MANY_EPOCHS = {"epochs": "1000"}
_PATIENCE = 300.0


def loop_in_steps(*, bare: bool) -> ModuleType:
    """The training loop, whose epoch stops after every step; `bare` has every call of a callback cut out."""
    seen = []

    class Cut(ast.NodeTransformer):
        def visit_Expr(self, node: ast.Expr) -> Any:
            called = ast.unparse(node.value.func) if isinstance(node.value, ast.Call) else ""
            if bare and called.startswith(_OF_CALLBACKS):
                return ast.Pass()
            if called == _LAST_OF_A_STEP:
                seen.append(node)
                return [node, ast.Expr(ast.Yield())]
            return node

    tree = ast.fix_missing_locations(Cut().visit(ast.parse(inspect.getsource(loop))))
    left = ast.unparse(tree).count("callback.")
    assert len(seen) == 1, f"{len(seen)} ends of a step"
    assert not (bare and left), f"{left} calls of a callback are left"
    made = ModuleType(f"training_code.loop_in_steps_{'bare' if bare else 'whole'}")
    made.__dict__["__package__"] = "training_code"
    sys.modules[made.__name__] = made
    exec(compile(tree, f"<{made.__name__}>", "exec"), made.__dict__)
    return made


class Way:
    """One way to watch the training that all ways share."""

    def __init__(self, training: Any, processes: Sequence[psutil.Process] = ()) -> None:
        self._training, self._processes = training, processes
        self._steps: Iterator[None] = iter(())
        self.seconds = 0.0
        """Of all blocks so far."""

    def epoch_begins(self) -> None:
        """From the step on at which all ways are."""
        self._steps = self._training._train_epoch()

    def block(self, steps: int) -> float:
        """Seconds that the next steps take, while its own side processes run."""
        self.go_on()
        begun = time.perf_counter()
        for _ in range(steps):
            next(self._steps)
        seconds = time.perf_counter() - begun
        self.pause()
        self.seconds += seconds
        return seconds

    def go_on(self) -> None:
        """Its side processes run."""
        for process in self._processes:
            process.resume()

    def pause(self) -> None:
        """Its side processes stand still."""
        for process in self._processes:
            process.suspend()

    @property
    def cpu_seconds(self) -> float:
        """What its side processes have computed so far."""
        times = [process.cpu_times() for process in self._processes]
        return sum(each.user + each.system for each in times)


class Ways:
    """The ways of one training on the pictures below a folder; `bare` and `off` are always there."""

    def __init__(self, root: Path, told: dict[str, str]) -> None:
        """`told` are hyperparameters besides the common ones."""
        self._config = parse(HYPERPARAMETERS | _MANY_EPOCHS | told)
        network, self._batches, valid = parts(root, self._config)
        given = (network, self._batches, valid, self._config, Checkpoints(None, {}), StopSignal(), Callback())
        self._training = loop_in_steps(bare=False)._Training(*given)
        bare = object.__new__(loop_in_steps(bare=True)._Training)
        bare.__dict__.update(self._training.__dict__)
        self.bare, self.off = Way(bare), Way(self._training)
        self._all = [self.bare, self.off]
        self._epoch_begins()

    def pair(self, one: Way, other: Way, steps: int, *, swapped: bool) -> float:
        """By what factor `one` takes longer than `other`, each for some steps, one after the other."""
        self._room_for(2 * steps)
        took = {way: way.block(steps) for way in ((other, one) if swapped else (one, other))}
        return took[one] / took[other]

    @contextlib.contextmanager
    def watched(self, told: dict[str, str]) -> Iterator[Way]:
        """A way that is watched as hyperparameters tell.

        Its first steps, of which there is a trace, are done, and its side processes have looked once.
        """
        config = parse(HYPERPARAMETERS | _MANY_EPOCHS | told)
        output = Path(tempfile.mkdtemp(prefix="debug-overhead-"))
        others = set(psutil.Process().children())
        try:
            with watching(
                output, DebugSettings.of(config), [str(each) for each in range(CLASSES)]
            ) as looking:
                training = copy.copy(self._training)
                training.callback = looking.callback
                training.callback.training_begins(training.network, config, self._batches)
                way = Way(training, list(set(psutil.Process().children()) - others))
                self._room_for(config.profile_steps + 2)
                way.epoch_begins()
                way.block(config.profile_steps + 2)
                way.go_on()
                try:
                    _until(output / DEBUG / FILE)
                    way.pause()
                    way.seconds = 0.0
                    self._all.append(way)
                    yield way
                finally:
                    way.go_on()  # or nobody would see the end
                self._all.remove(way)
        finally:
            shutil.rmtree(output)

    def _room_for(self, steps: int) -> None:
        """Begin another epoch if this one has too few steps left. Its last step, which saves, never comes."""
        progress = self._training.progress
        if progress.step + steps >= self._batches.steps:
            progress.epoch, progress.step = progress.epoch + 1, 0
            self._epoch_begins()

    def _epoch_begins(self) -> None:
        for way in self._all:
            way.epoch_begins()


def _until(path: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while not path.exists():
        assert time.monotonic() < end, f"{path} does not come"
        time.sleep(0.1)


class Median(NamedTuple):
    """A median, and between what bounds that of all there could be lies (95 %, by ranks)."""

    middle: float
    low: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Median:
        """Of some values. Bounds by the sign test, which only supposes that they are independent."""
        ordered, count = sorted(values), len(values)
        aside = max(0, int(count / 2 - 0.98 * math.sqrt(count)) - 1)
        return Median(statistics.median(ordered), ordered[aside], ordered[count - 1 - aside])
