"""`classifier status`"""

from __future__ import annotations

import click

from cli.commands.options import with_target
from cli.target import Target


@click.command()
@with_target
@click.argument("run", required=False)
@click.option("--watch", is_flag=True, help="Follow it until it serves or failed.")
def status(target: Target, run: str | None, watch: bool) -> None:
    """Show a run (default: the newest) from tuning to endpoint. Exits 1 if it failed."""
    from cli.console import console
    from cli.follow import follow
    from cli.runs.reader import ChainReader, latest_run
    from cli.runs.screen import screen
    from cli.runs.watch import raise_if_failed

    run = run or latest_run(target)
    if watch:
        follow(target, run)
        return
    chain = ChainReader(target, run).read()
    console().print(screen(chain))
    raise_if_failed(chain)
