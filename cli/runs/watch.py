"""Following a run to its end: a live screen on a terminal, a line per change in a pipe."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

import click

from cli.console import console, say
from cli.errors import ExitCode, RunFailed
from cli.interrupt import Interrupted
from cli.runs import remaining
from cli.runs.expected import Expected
from cli.runs.pipeline_run import PipelineRun
from cli.runs.reader import RunReader
from cli.runs.remaining import Left
from cli.runs.screen import lines, screen
from cli.target import Target

_ENDS: Final = {"refused": ExitCode.REFUSED, "stopped": ExitCode.STOPPED}
_LITTLE_ROOM_BYTES: Final = 64 * 2**20
_MOVED_SECONDS, _MOVED_PART = 20.0, 0.25
"""So much, and such a part of what was said to be left, the end has to move for another line in a pipe."""


def follow(
    target: Target,
    name: str,
    answering: Callable[[], str] | None = None,
    then: Callable[[PipelineRun], object] = lambda run: None,
    likely: Expected | None = None,
) -> PipelineRun:
    """Shows the run until it ended, and returns how it ended; on Ctrl-C it runs on, and the message says so.

    Args:
        answering: asks the API which version answers a picture. With it the run ends when its model answers;
            without, when the stack's update is over, which also waits until the old model is let go.
        then: is told how it ended, also if it failed.
        likely: what is expected of it, for the time left.

    Raises:
        RunFailed: it ended without a model to serve because something failed.
    """
    try:
        runs = _reads(target, RunReader(target, name, answering))
        run = _watch_live(runs, likely) if console().is_terminal else _watch_lines(runs, likely)
    except KeyboardInterrupt:
        where = f"the local AWS on port {target.port}" if target.is_local else "AWS"
        everything = " `make down` stops all that is local." if target.is_local else ""
        stop = f" End it with `{target.command(f'stop {name}')}`.{everything}"
        raise Interrupted(
            f"Stopped watching. The run {name} goes on in {where}; look again with "
            f"`{target.command(f'status {name} --watch')}`.{stop}"
        ) from None
    then(run)
    raise_if_failed(run)
    return run


def exit_unless_served(run: PipelineRun) -> None:
    """Ends the command with the code of a run that was refused or stopped; why is on the screen already."""
    code = _ENDS.get(run.outcome)
    if code is not None:
        raise click.exceptions.Exit(code)


def raise_if_failed(run: PipelineRun) -> None:
    """The reason of a failed run, as the error it is."""
    if run.outcome == "failed":
        raise RunFailed(f"The run {run.name} failed: {run.reason}")


def _reads(target: Target, reader: RunReader) -> Iterator[PipelineRun]:
    """The run, again and again until it has ended."""
    run, warned = reader.read(), False
    yield run
    while not run.ended:
        time.sleep(target.poll_seconds)
        warned = _warn_of_full_disk(target, warned)
        yield (run := reader.read())


def _watch_live(runs: Iterator[PipelineRun], likely: Expected | None) -> PipelineRun:
    from rich.live import Live

    run = next(runs)
    with Live(
        screen(run, remaining.in_words(run, likely)),
        console=console(),
        refresh_per_second=4,
        vertical_overflow="visible",
    ) as live:
        for run in runs:
            live.update(screen(run, remaining.in_words(run, likely)))
    return run


def _watch_lines(runs: Iterator[PipelineRun], likely: Expected | None) -> PipelineRun:
    before: PipelineRun | None = None
    told: Left | None = None
    told_at: datetime | None = None
    for run in runs:
        left = remaining.of(run, likely)
        if left is not None and _is_news(left, run.read_at, told, told_at):
            say(left.words)
            told, told_at = left, run.read_at
        for line in lines(before, run):
            say(line)
        before = run
    return run


def _is_news(left: Left, now: datetime, told: Left | None, told_at: datetime | None) -> bool:
    """Whether what is left is another matter than what was told: the end has moved by a good part of it."""
    if told is None or told_at is None:
        return True
    if left.seconds is None or told.seconds is None:
        return left.seconds is not told.seconds
    moved = (now - told_at).total_seconds() + left.seconds - told.seconds
    return abs(moved) > max(_MOVED_SECONDS, told.seconds * _MOVED_PART)


def _warn_of_full_disk(target: Target, warned: bool) -> bool:
    """Say once that the local AWS has no room: its jobs fail then, and how they ended waits to be stored."""
    if not target.is_local or warned:
        return warned
    free = shutil.disk_usage(target.home).free
    if free >= _LITTLE_ROOM_BYTES:
        return False
    say(
        f"The disk of {target.home} is full ({free // 2**20} MiB free). "
        "Until there is room jobs fail, or wait to store how they ended."
    )
    return True
