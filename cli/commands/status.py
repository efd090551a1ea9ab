"""`classifier status`"""

from __future__ import annotations

import click

from cli.commands.options import with_target
from cli.console import console
from cli.runs.reader import RunReader, latest_run
from cli.runs.screen import screen
from cli.runs.watch import follow, raise_if_failed
from cli.target import Target


@click.command()
@with_target
@click.argument("name", metavar="[RUN]", required=False)
@click.option("--watch", is_flag=True, help="Follow it until it serves or failed.")
def status(target: Target, name: str | None, watch: bool) -> None:
    """Show a run (default: the newest) from tuning to endpoint. Exits 1 if it failed."""
    name = name or latest_run(target)
    if watch:
        follow(target, name)
        return
    run = RunReader(target, name).read()
    console().print(screen(run))
    raise_if_failed(run)
