"""`classifier outputs`"""

from __future__ import annotations

import json

import click

from cli.commands.options import with_target
from cli.console import say
from cli.outputs import address_lines, exports, read, save
from cli.target import Target


@click.command()
@with_target
@click.option("--json", "as_json", is_flag=True, help="All of it, for scripts.")
@click.option(
    "--export",
    "as_exports",
    is_flag=True,
    help='The local AWS\'s address and key as shell variables: eval "$(classifier outputs --export)".',
)
def outputs(target: Target, as_json: bool, as_exports: bool) -> None:
    """Show the URLs, the API key, the buckets and the functions; keep them in .local/outputs.json."""
    if as_exports:
        click.echo("\n".join(exports(target)))
        return
    saved = save(target, read(target))
    if as_json:
        click.echo(json.dumps(saved, indent=2))
    else:
        say("\n".join(address_lines(saved)))
