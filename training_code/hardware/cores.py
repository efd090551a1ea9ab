"""How many cores this process may use, and how many of them others leave free."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import Final

from contract.cores import usable_cores


class CoreWatch:
    """Finds out how many cores others leave free, between its making and the question.

    torch's threads wait for each other by spinning. One thread more than there are free cores, and all wait
    for the one that is not running: two threads on two busy cores were forty times slower than one.
    """

    _LEAST_SECONDS: Final = 0.3

    def __init__(self) -> None:
        self._start, self._idle, self._own = time.monotonic(), _idle_seconds(), time.process_time()

    def free_cores(self) -> int:
        """Whole cores free for this process, at least 1 and at most `cores()`."""
        time.sleep(max(0.0, self._LEAST_SECONDS - (time.monotonic() - self._start)))
        elapsed = time.monotonic() - self._start
        free = _idle_seconds() - self._idle + time.process_time() - self._own
        return max(1, min(cores(), math.floor(free / elapsed + 0.1)))


def cores() -> int:
    """How many cores this process may use: OMP_NUM_THREADS if set, else those it is allowed to run on."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return int(limit) if limit.isdigit() and int(limit) > 0 else usable_cores()


def _idle_seconds() -> float:
    """Seconds all cores together have been idle since the machine started; see proc(5)."""
    fields = next(iter(lines_of(Path("/proc/stat"))), "").split()
    return sum(int(each) for each in fields[4:6]) / os.sysconf("SC_CLK_TCK")


def lines_of(path: Path) -> list[str]:
    """The lines of one of the kernel's files; none where it is missing."""
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
