"""Stopping cleanly: Ctrl-C, a hang-up and a polite kill are one thing, and cleaning up is not cut short."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import IO, Any

import click

from cli.errors import ExitCode

_NUMBERS = tuple(number for number in signal.Signals if number.name in ("SIGINT", "SIGTERM", "SIGHUP"))
"""Windows has no hang-up."""


class Interrupted(click.ClickException):
    """The user stopped a command; the message says what keeps running and how to go on."""

    exit_code = ExitCode.INTERRUPTED

    def show(self, file: IO[Any] | None = None) -> None:
        click.secho(f"\n{self.message}", file=file, err=True, fg="red")


def treat_as_interrupt() -> None:
    """SIGTERM and SIGHUP end a command the way Ctrl-C does, and so does the first of several.

    The second comes while the command cleans up after the first, which it must not cut short. The third is
    meant.
    """
    count = 0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal count
        count += 1
        if count != 2:
            raise KeyboardInterrupt

    for number in _NUMBERS:
        signal.signal(number, stop)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """A block which a second Ctrl-C does not cut short."""
    before = [signal.signal(number, signal.SIG_IGN) for number in _NUMBERS]
    try:
        yield
    finally:
        for number, handler in zip(_NUMBERS, before, strict=True):
            signal.signal(number, handler)


@contextmanager
def held_back() -> Iterator[None]:
    """A short block at whose end a Ctrl-C takes effect: what it starts is known before it can be cut short.

    Unlike ignored signals, held back ones are not inherited by a process that the block starts.
    """
    came: list[int] = []
    before = [signal.signal(number, lambda number, _: came.append(number)) for number in _NUMBERS]
    try:
        yield
    finally:
        for number, handler in zip(_NUMBERS, before, strict=True):
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
