"""A process and its descendants, ended."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

STOP_SECONDS = 40


def process_of(pid: int) -> psutil.Process | None:
    """The process of this id, if it has not ended."""
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process
    except psutil.Error:
        return None


def end(pid: int) -> None:
    """Ends the process and all its descendants, which it is given time to do itself.

    psutil compares processes by what a clock that is set does not change, so a recycled id is no member.
    """
    import psutil

    process = process_of(pid)
    if process is None:
        return
    family = _family(process)
    with suppress(psutil.Error):
        process.send_signal(signal.SIGTERM)
    psutil.wait_procs([process], STOP_SECONDS)
    family |= _family(process)
    for member in family:  # whatever the server did not take down with it
        with suppress(psutil.Error):
            member.kill()
    psutil.wait_procs(list(family), 5)


def _family(process: psutil.Process) -> set[psutil.Process]:
    import psutil

    try:
        return {process, *process.children(recursive=True)}
    except psutil.Error:
        return {process}
