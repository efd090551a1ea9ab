"""The terminal every command prints to, and a counted progress bar on it.

Rich is imported when it is first used, so that `--help` stays quick.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


@cache
def console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


@cache
def error_console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str, style: str = "") -> None:
    """Prints a line as it is: no markup read in it, not broken at the terminal's width."""
    console().print(text, style=style, markup=False, soft_wrap=True)


class Count:
    """How far a piece of work is; what it shows on, if anything, is `counting`'s business."""

    def __init__(self, progress: Any, task: Any) -> None:
        self._progress = progress
        self._task = task
        self.done = 0

    def add(self, more: int) -> None:
        """`more` pieces are done."""
        self.done += more
        if self._progress is not None:
            self._progress.update(self._task, completed=self.done)

    def to(self, done: int, total: int) -> None:
        """`done` of `total` pieces are done."""
        self.done = done
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total)


@contextmanager
def counting(what: str, total: int | None = None) -> Iterator[Count]:
    """Shows a bar named `what` while the block runs; in a pipe nothing."""
    if not console().is_terminal:
        yield Count(None, None)
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console()) as progress:
        yield Count(progress, progress.add_task(what, total=total))
