"""`classifier cost`"""

from __future__ import annotations

import click

from cli.commands.options import with_target
from cli.target import Target


@click.command()
@with_target
def cost(target: Target) -> None:
    """Show what was spent this month, what runs up cost now, and what is left when nothing runs."""
    from cli.console import say
    from cli.cost import spending as costs

    say("\n".join(costs.lines(target, costs.look(target))))
