"""`classifier down`"""

from __future__ import annotations

import click

from cli.commands.options import with_target
from cli.local import server
from cli.target import Target


@click.command()
@with_target
@click.option("--wipe", is_flag=True, help="Also remove its state: stacks, buckets, jobs and models.")
def down(target: Target, wipe: bool) -> None:
    """Stop the local AWS and everything it runs; its state is kept."""
    from cli.console import console, say
    from cli.errors import CliError

    if not target.is_local:
        raise CliError(
            "`down` stops the local AWS. To remove what is on AWS: `classifier destroy --target aws`."
        )
    with console().status("Stopping the local AWS"):
        stopped = server.stop(target)
        if wipe:
            server.wipe(target)
    word = "is down" if stopped else "was not up"
    say(f"The local AWS {word}.{' Its state is removed.' if wipe else ''}")
