"""Stopping cleanly: Ctrl-C, a hang-up and a polite kill are one thing, and cleaning up is not cut short."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(Exception):
    """The user stopped a command; the message says what keeps running and how to go on."""


def treat_as_interrupt() -> None:
    """SIGTERM and SIGHUP end a command the way Ctrl-C does."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGHUP, stop)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A block which a second Ctrl-C does not cut short."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
