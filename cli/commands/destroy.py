"""`classifier destroy`"""

from __future__ import annotations

import click

from cli.commands.options import confirm, with_target, yes_option
from cli.target import Target


@click.command()
@with_target
@yes_option
def destroy(target: Target, yes: bool) -> None:
    """Remove every stack with its endpoint; the buckets and their pictures by the setting on_destroy."""
    from cli import removal
    from cli.console import say

    found = removal.look(target)
    if not found.stacks:
        say("Nothing is deployed: there is nothing to remove.")
        return
    say("\n".join(removal.describe(target, found)))
    confirm("Remove all of it?", yes)
    removal.remove(target, found)
    say(removal.farewell(target, found))
