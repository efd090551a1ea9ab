"""`classifier runs`: the runs, each with what it led to."""

from __future__ import annotations

from typing import Any

import click

from cli import answers
from cli.commands.options import json_option, listing_options, with_target
from cli.console import console, say
from cli.runs import history
from cli.target import Target

KEYS = ("created", "name", "outcome", "accuracy", "recipe", "dataset", "version", "seconds", "usd")
_NEWEST = 20


@click.command()
@with_target
@listing_options(KEYS, default="created")
@json_option
def runs(target: Target, sort: str, limit: int | None) -> None:
    """List the runs (default: the newest 20), each with what it led to, its time and its cost.

    A cost is by the price table; on this machine, what it would have been on AWS.
    """
    # The best of all is not among the newest.
    most = (limit or _NEWEST) if sort == "created" else history.MOST
    rows = answers.ordered([past.row() for past in history.read(target, most)], sort, limit or _NEWEST)
    if answers.wrote(answers.Kind.RUNS, rows):
        return
    if not rows:
        say(f"Nothing has been run yet. Start with: {target.command('tune --recipe RECIPE --dataset NAME')}")
        return
    columns = ("name", "outcome", "accuracy", "recipe", "data", "version", "made", "time", "USD")
    console().print(answers.Listing(columns, [_cells(row) for row in rows], ("accuracy", "time", "USD")))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["name"],
        row["outcome"],
        answers.number(row["accuracy"], ".4f"),
        f"{row['recipe']}{', scheduled' if row['scheduled'] else ''}",
        row["dataset"],
        answers.number(row["version"], "d"),
        answers.minute(row["created"]),
        answers.duration(row["seconds"]),
        answers.number(row["usd"], ".3f"),
    )
