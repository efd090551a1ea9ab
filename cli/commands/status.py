"""`classifier status`"""

from __future__ import annotations

import click

from cli import answers
from cli.commands.completion import runs
from cli.commands.options import json_option, with_target
from cli.console import console, say
from cli.runs import expected, find, remaining
from cli.runs.newest import latest_run
from cli.runs.reader import RunReader
from cli.runs.screen import as_data, screen
from cli.runs.watch import exit_unless_served, follow, raise_if_failed
from cli.stacks import half_there
from cli.target import Target


@click.command()
@with_target
@click.argument("name", metavar="[RUN]", required=False, shell_complete=runs)
@click.option("--watch", is_flag=True, help="Follow it until it serves or failed.")
@json_option
def status(target: Target, name: str | None, watch: bool) -> None:
    """Show a run (default: the newest) from tuning to endpoint. Exits 1 if it failed.

    RUN is a run, one of its jobs, a model's version, or `endpoint`: the run whose model serves. A part of the
    name does, if no other run has it. With --watch it exits 3 if the quality gate refused the model, and 4 if
    the run was stopped.
    """
    if half := half_there(target):
        say(half, style="yellow")
    name = find.run(target, name) if name else latest_run(target)
    run = RunReader(target, name).read()
    likely = expected.of_run(target, run)
    if watch:
        ended = follow(
            target, name, then=lambda run: answers.wrote(answers.Kind.RUN, as_data(run)), likely=likely
        )
        exit_unless_served(ended)
        return
    if not answers.wrote(answers.Kind.RUN, as_data(run)):
        console().print(screen(run, remaining.in_words(run, likely)))
    raise_if_failed(run)
