"""`classifier logs`: what a job, the endpoint or a function writes."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from cli import answers
from cli.commands.completion import runs
from cli.commands.options import json_option, with_target
from cli.console import say, wants_json
from cli.interrupt import Interrupted
from cli.runs import logs as read
from cli.target import Target


@click.command()
@with_target
@click.argument("name", metavar="JOB|endpoint|FUNCTION", shell_complete=runs)
@click.option("--follow", "-f", is_flag=True, help="Go on with the lines that come, until Ctrl-C.")
@click.option(
    "--since", metavar="AGE|TIME", default="1d", show_default=True, help="As in 30m, 2h, 1d, 2026-11-30."
)
@click.option("--all", "platform", is_flag=True, help="Also Lambda's own lines: start, end, memory.")
@json_option
def logs(target: Target, name: str, follow: bool, since: str, platform: bool) -> None:
    """Print the log of a job, of the endpoint, or of a function such as classify.

    Of a run, the log of its last training; before that begins, those of its trials, each line with its job. A
    part of a name does, if nothing else has it; a part of a run's name means the run.
    """
    if follow and wants_json():
        raise click.UsageError("--follow has no end, and --json prints all at once: give one of them.")
    start = read.since(since, datetime.now(UTC))
    where = read.source(target, name)
    found = []
    try:
        for line in read.lines(target, where, start, follow, platform):
            if not follow:
                found.append(line)
            if not wants_json():
                whose = f"{line.job}  " if where.run else ""  # of one job or function, it is known
                say(f"{line.time.astimezone():%Y-%m-%d %H:%M:%S}  {whose}{line.message}")
    except KeyboardInterrupt:
        raise Interrupted("Stopped following.") from None
    place = {"group": where.group, "streams": where.streams}
    if not answers.wrote(answers.Kind.LOGS, {**place, "lines": found}) and not found:
        say(f"No line since {since} in the log group {where.group}. --since 7d looks further back.")
