"""How the one machine is shared out between jobs: places to run, and cores for each.

On AWS every training job gets instances of its own. Here a bounded number of jobs runs at once, the others
wait in the order they came, and each gets an equal part of the cores by the environment variables numeric
libraries listen to.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

GIB = 2**30
# What a job with a deep-learning library in it may need; more jobs at once would swap.
MEMORY_PER_JOB = 2 * GIB
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_MAX_THREADS")


class Machine:
    """The places of this machine, given first come, first served."""

    def __init__(self, cores: int | None = None, memory: int | None = None) -> None:
        self.cores = cores or _cores()
        memory = memory or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self.places = max(1, min(self.cores, memory // MEMORY_PER_JOB))
        self._queue: list[object] = []
        self._running: set[object] = set()
        self._changed = threading.Condition()

    def enter(self, job: object, given_up: Callable[[], bool], waiting: Callable[[int], None]) -> bool:
        """Wait for a place; false if ``given_up()`` became true meanwhile.

        While it must wait, ``waiting`` is told how many jobs are before it, those that run included, whenever
        that changes.
        """
        told = 0
        with self._changed:
            self._queue.append(job)
        while True:
            with self._changed:
                free, before = self._free_for(job), len(self._running) + self._queue.index(job)
                if free or given_up():
                    self._queue.remove(job)
                    if free:
                        self._running.add(job)
                    self._changed.notify_all()
                    return free
                if before == told:
                    self._changed.wait(0.2)  # given_up tells nobody when it changes
            if before != told:
                waiting(told := before)

    def _free_for(self, job: object) -> bool:
        return len(self._running) < self.places and self._queue[0] is job

    def leave(self, job: object) -> None:
        """Give the place back."""
        with self._changed:
            self._running.discard(job)
            self._changed.notify_all()

    def share(self, together: int) -> int:
        """Cores for a job which expects to run beside ``together - 1`` others that belong to it."""
        with self._changed:
            expected = max(together, len(self._running) + len(self._queue), 1)
        return max(1, self.cores // min(expected, self.places))


def thread_limits(cores: int) -> dict[str, str]:
    """The environment that keeps numeric libraries to so many cores."""
    return dict.fromkeys(THREAD_VARIABLES, str(cores))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))  # respects a container's or taskset's limits
    return os.cpu_count() or 1
