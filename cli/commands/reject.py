"""`classifier reject`"""

from __future__ import annotations

import click

from cli.commands.options import reason_option, with_target
from cli.console import say
from cli.release import promotion
from cli.target import Target


@click.command()
@with_target
@click.argument("version")
@reason_option("rejected by hand")
def reject(target: Target, version: str, reason: str) -> None:
    """Reject a model VERSION (or ARN) of the registry that does not serve."""
    say(promotion.reject(target, version, reason))
