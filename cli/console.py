"""The terminal every command prints to, and a counted progress bar on it.

Rich is imported when it is first used, so that `--help` stays quick.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

DONE, NOW, NEXT = ("●", "green"), ("◐", "cyan"), ("○", "dim")
HELD, FAILED = ("◌", "yellow"), ("✗", "red")
"""How a step of a longer work is marked, and in which colour."""


@cache
def console() -> Console:
    from rich.console import Console

    class Pipe(Console):
        def on_broken_pipe(self) -> None:
            """Rich would end the process here; the command line does, with its own exit code."""
            raise BrokenPipeError

    return Pipe(highlight=False)


@cache
def error_console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str, style: str = "") -> None:
    """Prints a line as it is: no markup read in it, not broken at the terminal's width."""
    console().print(text, style=style, markup=False, soft_wrap=True)


class Count:
    """How far a piece of work is, shown on a bar."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task
        self.done = 0

    def add(self, more: int) -> None:
        """`more` pieces are done."""
        self.to(self.done + more)

    def to(self, done: int, total: int | None = None) -> None:
        """`done` pieces are done, of `total` if that is only known now."""
        self.done = done
        self._progress.update(self._task, completed=done, total=total)


@contextmanager
def counting(what: str, total: int | None = None) -> Iterator[Count]:
    """Shows a bar named `what` while the block runs; in a pipe nothing."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(), disable=not console().is_terminal) as progress:
        yield Count(progress, progress.add_task(what, total=total))
