"""The profile as it was written, as columns of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training_code.profiling import STEPS, SYSTEM

Column = NDArray[np.float64]

_WARM_UP = 12
"""Steps that say little: first allocations, and torch's profiler looking on."""


@dataclass(frozen=True)
class Profile:
    """Columns of steps.csv and system.csv by name; empty where there is no file."""

    steps: Mapping[str, Column]
    system: Mapping[str, Column]

    @staticmethod
    def read(folder: Path, most_bytes: int | None = None) -> Profile:
        """What lies in `folder`; with `most_bytes` only the end of each file."""
        return Profile(_columns(folder / STEPS, most_bytes), _columns(folder / SYSTEM, most_bytes))

    @property
    def steady(self) -> dict[str, Column]:
        """The steps without the first ones."""
        count = len(self.steps.get("step", ()))
        skipped = min(_WARM_UP, count // 3)
        return {name: values[skipped:] for name, values in self.steps.items()}

    @property
    def gpus(self) -> int:
        """How many GPUs were looked at."""
        return sum(1 for name in self.system if name.startswith("gpu") and name.endswith("_busy"))

    @property
    def cores(self) -> Column:
        """Use of all cores together, percent, at each sample."""
        each = [values for name, values in self.system.items() if name.startswith("core")]
        return np.mean(each, axis=0) if each else np.zeros(0)

    def gpu(self, what: str) -> Column:
        """A figure (busy, used_mb, total_mb) of every GPU, (gpus, samples)."""
        return np.array([self.system[f"gpu{index}_{what}"] for index in range(self.gpus)])


def _columns(path: Path, most_bytes: int | None) -> dict[str, Column]:
    try:
        with path.open("rb") as file:
            names = file.readline().decode().strip().split(",")
            size = path.stat().st_size
            if most_bytes is not None and size - file.tell() > most_bytes:
                file.seek(size - most_bytes)
                file.readline()  # the rest of a line
            lines = file.read().decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    rows = [values for line in lines if len(values := line.split(",")) == len(names)]
    try:
        table = np.array(rows, dtype=np.float64).reshape(-1, len(names))
    except ValueError:  # a line that was torn in the middle of a number
        return {}
    return {name: table[:, place] for place, name in enumerate(names)}
