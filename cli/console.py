"""The terminal every command prints to, and a counted progress bar on it.

With --quiet nothing is printed but errors; with --json or `--csv -` standard output has the answer alone
(`cli.answers`), and what is for people goes to standard error.

Rich is imported when it is first used, so that `--help` stays quick.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

_PIPE_COLUMNS: Final = 1000
DONE, NOW, NEXT = ("●", "green"), ("◐", "cyan"), ("○", "dim")
HELD, FAILED = ("◌", "yellow"), ("✗", "red")
"""How a step of a longer work is marked, and in which colour."""


def console() -> Console:
    return _console(wants_json() or bool(_asked_for(ROWS)), bool(_asked_for(QUIET)))


@cache
def _console(on_stderr: bool, quiet: bool) -> Console:
    from rich.console import Console

    class Pipe(Console):
        def on_broken_pipe(self) -> None:
            """Rich would end the process here; the command line does, with its own exit code."""
            raise BrokenPipeError

    made = Pipe(highlight=False, stderr=on_stderr, quiet=quiet)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = _PIPE_COLUMNS  # no line is broken and no name cut, for whoever greps in it
    return made


JSON, QUIET, ROWS = "cli.console.json", "cli.console.quiet", "cli.console.rows"
"""The keys of Click's context in which --json, --quiet and `--csv -` are kept."""


def wants_json() -> bool:
    """Whether --json was given to the command that runs."""
    return bool(_asked_for(JSON))


def _asked_for(key: str) -> object:
    context = click.get_current_context(silent=True)
    return context is not None and context.meta.get(key)


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
