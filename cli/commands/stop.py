"""`classifier stop`"""

from __future__ import annotations

import click

from cli.commands.options import with_target
from cli.target import Target


@click.command()
@with_target
@click.argument("run")
@click.option("--reason", default="asked for with classifier stop", show_default=True, help="For the record.")
def stop(target: Target, run: str, reason: str) -> None:
    """End all of a RUN: its search, its trainings, and what would follow. A model that serves stays."""
    from cli.console import say
    from cli.stopping import stop as stop_run

    for line in stop_run(target, run, reason):
        say(line)
