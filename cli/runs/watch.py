"""Following a run to its end: a live screen on a terminal, a line per change in a pipe."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import Final

from cli.console import console, say
from cli.errors import ChainFailed
from cli.runs.pipeline_run import Chain
from cli.runs.reader import ChainReader
from cli.runs.screen import lines, screen
from cli.target import Target

_LITTLE_ROOM_BYTES: Final = 64 * 2**20


def watch(target: Target, run: str, answering: Callable[[], str] | None = None) -> Chain:
    """Shows the run until it ended, and returns how it ended.

    Args:
        answering: asks the API which version answers a picture. With it the run ends when its model answers;
            without, when the stack's update is over, which also waits until the old model is let go.

    Raises:
        ChainFailed: it ended without a model to serve because something failed.
    """
    reader = ChainReader(target, run, answering)
    chain = _watch_live(target, reader) if console().is_terminal else _watch_lines(target, reader)
    raise_if_failed(chain)
    return chain


def raise_if_failed(chain: Chain) -> None:
    """The reason of a failed chain, as the error it is."""
    if chain.outcome == "failed":
        raise ChainFailed(f"The run {chain.run} failed: {chain.reason}")


def _watch_live(target: Target, reader: ChainReader) -> Chain:
    from rich.live import Live

    chain = reader.read()
    warned = False
    with Live(screen(chain), console=console(), refresh_per_second=4, vertical_overflow="visible") as live:
        while not chain.ended:
            time.sleep(target.poll_seconds)
            warned = _warn_of_full_disk(target, warned)
            chain = reader.read()
            live.update(screen(chain))
    return chain


def _watch_lines(target: Target, reader: ChainReader) -> Chain:
    before: Chain | None = None
    warned = False
    while True:
        chain = reader.read()
        for line in lines(before, chain):
            say(line)
        if chain.ended:
            return chain
        before = chain
        time.sleep(target.poll_seconds)
        warned = _warn_of_full_disk(target, warned)


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
