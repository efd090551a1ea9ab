"""Runs a command to its end, also when somebody presses Ctrl-C meanwhile.

Each runs in a session of its own, so that a terminal's Ctrl-C reaches this process alone. It is handed on to
a command that may be cut short, which then has time to end what it began; cleaning up is not cut short.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MEANT = 3
# What the CDK CLI is given to end, and pytest after it.
_PATIENCE = ((signal.SIGINT, 120.0), (signal.SIGTERM, 30.0), (signal.SIGKILL, 10.0))


class Processes:
    """The real runner; the tests of the script have another."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def run(self, command: list[str], environment: Mapping[str, str]) -> int:
        """The exit code.

        Raises:
            KeyboardInterrupt: it came meanwhile, and the command has ended.
        """
        process = subprocess.Popen(
            command, cwd=self._root, env={**os.environ, **environment}, start_new_session=True
        )
        try:
            return process.wait()
        except KeyboardInterrupt:
            _end(process)
            raise


@contextmanager
def patient(say: Callable[[str], None]) -> Iterator[None]:
    """A block which only the third Ctrl-C cuts short."""
    count = 0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count >= _MEANT:
            raise KeyboardInterrupt
        say(f"Cleaning up. {_MEANT - count} times more leaves it as it is.")

    before = [signal.signal(number, stop) for number in _STOPS]
    try:
        yield
    finally:
        for number, handler in zip(_STOPS, before, strict=True):
            signal.signal(number, handler)


def _end(process: subprocess.Popen[bytes]) -> None:
    for number, seconds in _PATIENCE:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return
