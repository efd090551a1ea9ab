"""One at a time: what two commands in the same checkout must not do at once, they do one after the other."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_LOOK_AGAIN_SECONDS = 0.1


def nothing() -> None:
    """What is called where nobody wants to hear."""


@contextmanager
def alone(path: Path, on_wait: Callable[[], None] = nothing) -> Iterator[int]:
    """A block for `path` in which no other process, and no other thread, is meanwhile.

    The kernel lets go when the holder ends, however it ends. The file stays: taking it away would let in two.

    Args:
        path: the lock file, in a folder that is there.
        on_wait: called once if somebody else has it.

    Yields:
        The lock's file descriptor: a process which inherits it keeps the lock until it ends as well.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _taken(descriptor):
            on_wait()
            while not _taken(descriptor):
                time.sleep(_LOOK_AGAIN_SECONDS)
        yield descriptor
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
