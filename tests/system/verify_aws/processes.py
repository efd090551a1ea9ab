"""Runs a command to its end, also when somebody presses Ctrl-C meanwhile.

Each runs in a session of its own, so that a terminal's Ctrl-C reaches this process alone. It is handed on to
a command that may be cut short, which then has time to end what it began; cleaning up is not cut short.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

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


def _end(process: subprocess.Popen[bytes]) -> None:
    for number, seconds in _PATIENCE:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return
