"""Following a run from a command: to its end, or until Ctrl-C leaves it running."""

from __future__ import annotations

from collections.abc import Callable

from cli.interrupt import Interrupted
from cli.runs.pipeline_run import Chain
from cli.runs.watch import watch
from cli.target import Target


def follow(target: Target, run: str, answering: Callable[[], str] | None = None) -> Chain:
    """Watches `run` (see `watch`); on Ctrl-C it runs on, and the message says so."""
    try:
        return watch(target, run, answering)
    except KeyboardInterrupt:
        where = f"the local AWS on port {target.port}" if target.is_local else "AWS"
        stop = " `make down` stops everything." if target.is_local else ""
        raise Interrupted(
            f"Stopped watching. The run {run} goes on in {where}; look again with "
            f"`classifier status {run} --watch{target.option}`.{stop}"
        ) from None
