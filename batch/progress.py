"""How far a batch is, in the job's log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

_REPORTED_EVERY: Final = 15.0
"""Seconds between two lines."""


class Progress:
    """Says every few seconds how many pictures are done, how fast, and what time is left."""

    def __init__(
        self, total: int, kept: int, clock: Callable[[], float] = time.monotonic, begin: str = ""
    ) -> None:
        self._begin = begin
        self._total, self._kept, self._clock = total, kept, clock
        self._done = self._refused = 0
        self._began = self._said = clock()

    @property
    def seconds(self) -> float:
        """Since the first picture was asked for."""
        return self._clock() - self._began

    def done(self, refused: bool) -> None:
        """One more picture has its line."""
        self._done += 1
        self._refused += refused
        if self._clock() - self._said >= _REPORTED_EVERY:
            self._said = self._clock()
            print(self.line(), flush=True)

    def line(self) -> str:
        """How far it is."""
        rate = self._done / max(self.seconds, 1e-9)
        left = self._total - self._kept - self._done
        refused = f", {self._refused:,} without an answer" if self._refused else ""
        time_left = f", {_duration(left / rate)} left" if left and rate else ""
        done = f"{self._kept + self._done:,} of {self._total:,} pictures"
        return f"{self._begin}{done}{refused}, {rate:.0f}/s{time_left}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
