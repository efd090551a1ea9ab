"""Processes that a benchmark starts, and what each took."""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import harness


@dataclass(frozen=True)
class Ran:
    """A process that ended well: what it printed, and what it took."""

    output: str
    seconds: float
    cpu_seconds: float
    peak_mb: float

    @property
    def last(self) -> Any:
        """The JSON of its last line."""
        return json.loads(self.output.strip().splitlines()[-1])


def run(module: str, *arguments: str, **environment: str) -> Ran:
    """Run a module of this repository to its end."""
    return run_command(
        [sys.executable, "-m", module, *arguments], PYTHONPATH=str(harness.ROOT), **environment
    )


def run_command(command: Sequence[str], **environment: str) -> Ran:
    """Run a program to its end; one that fails ends the benchmark with all that it printed."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = os.posix_spawn(
            command[0],
            list(command),
            {**os.environ, **environment},
            file_actions=[(os.POSIX_SPAWN_DUP2, output.fileno(), stream) for stream in (1, 2)],
        )
        _, status, usage = os.wait4(process, 0)
        seconds = time.perf_counter() - start
        output.seek(0)
        printed = output.read().decode(errors="replace")
    if status:
        raise SystemExit(f"{' '.join(command[1:])} failed:\n{printed}")
    return Ran(printed, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
