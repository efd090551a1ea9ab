"""SIGTERM, which SageMaker sends when a job is stopped, runs out of time or loses its spot machine.

The signal only leaves a mark. The loops look at it between two steps, so that a checkpoint is always of a
whole step; what is left of the grace period (120 s on SageMaker) goes into saving.
"""

from __future__ import annotations

import signal
from types import FrameType


class Stopped(Exception):
    """The job was told to stop. Raised between steps, so all state is whole."""


class StopSignal:
    """Remembers that SIGTERM came."""

    def __init__(self) -> None:
        self.came = False

    def listen(self) -> None:
        """Take SIGTERM from now on; a container's first process would not even get it by default."""
        signal.signal(signal.SIGTERM, self._take)

    def check(self) -> None:
        """Call between steps.

        Raises:
            Stopped: SIGTERM came since `listen`.
        """
        if self.came:
            raise Stopped

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True
