"""Times every part of every step; what is between steps (validation, checkpoints) is kept as such.

On a CPU a part ends when its call returns. A GPU works on after that, so there an event is put into its queue
where a part begins, and read later: nobody waits. Each mark ends one part and begins the next, so they add up
to the wall time.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from training_code.config import Config
from training_code.data.batches import Batches
from training_code.network.network import Network
from training_code.profiling import STEPS, WALL
from training_code.training.callback import PHASES, Callback

COLUMNS: Final = ("step", "begun", "between", *PHASES, "rest", "memory_mb")
_KEPT: Final = 64
"""Steps between two writes."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class _Step:
    number: int
    begun: float
    marks: list[tuple[str, Any]]
    memory_mb: float


class StepTimer(Callback):
    """Writes steps.csv into `folder`: seconds, one line per step."""

    def __init__(self, folder: Path, clock: Callable[[], float] = time.perf_counter) -> None:
        self._path, self._clock = folder / STEPS, clock
        self._marks: list[tuple[str, Any]] = []
        self._steps: list[_Step] = []
        self._gpu = False
        self._last: Any = None
        self._per_epoch = 1
        self._written = False
        self._broken = False
        self._start = self._clock()

    def training_begins(self, network: Network, config: Config, batches: Batches) -> None:
        self._gpu = batches.machine.device.type == "cuda"
        self._per_epoch = batches.steps
        self._start = self._clock()
        self._last = self._now()

    def step_begins(self, epoch: int, step: int) -> None:
        self._number = (epoch - 1) * self._per_epoch + step
        self._begun = self._clock() - self._start
        self._marks = [("between", self._last), ("rest", self._now())]

    def phase(self, name: str) -> None:
        self._marks.append((name, self._now()))

    def step_ends(self, loss: Tensor) -> None:
        self._last = self._now()
        self._marks.append(("", self._last))
        self._steps.append(_Step(self._number, self._begun, self._marks, self._memory_mb()))
        if len(self._steps) >= _KEPT:
            self._write(self._steps[:-1])
            self._steps = self._steps[-1:]

    def end(self) -> None:
        """Write what is left, and the time of everything from the first mark to now."""
        wall = self._clock() - self._start
        if self._steps:
            if self._gpu:
                torch.cuda.synchronize()
            self._write(self._steps)
            self._steps = []
        if self._written and not self._broken:
            with contextlib.suppress(OSError):
                self._path.with_name(WALL).write_text(json.dumps({"seconds": wall}), encoding="utf-8")

    def _now(self) -> Any:
        if not self._gpu:
            return self._clock()
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        event.record()
        return event

    def _memory_mb(self) -> float:
        """What the tensors take on the GPU, or the process on a machine without one; MiB."""
        if self._gpu:
            return torch.cuda.memory_allocated() / 2**20
        with Path("/proc/self/statm").open(encoding="utf-8") as file:  # see proc(5)
            return int(file.read().split()[1]) * _PAGE / 2**20

    def _seconds(self, first: Any, second: Any) -> float:
        return first.elapsed_time(second) / 1000 if self._gpu else second - first  # type: ignore[no-any-return]

    def _write(self, steps: list[_Step]) -> None:
        if self._broken:
            return
        lines = [] if self._written else [",".join(COLUMNS)]
        for step in steps:
            spent = dict.fromkeys(("between", *PHASES, "rest"), 0.0)
            for (name, mark), (_, following) in itertools.pairwise(step.marks):
                spent[name] += self._seconds(mark, following)
            seconds = ",".join(f"{each:.6f}" for each in spent.values())
            lines.append(f"{step.number},{step.begun:.6f},{seconds},{step.memory_mb:.1f}")
        try:
            with self._path.open("a" if self._written else "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
            self._written = True
        except OSError as error:
            self._broken = True
            print(f"warning: profiling stops here, training goes on: {error}", flush=True)
