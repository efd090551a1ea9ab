"""`classifier outputs`"""

from __future__ import annotations

import click

from cli import answers
from cli.commands.options import json_option, with_target
from cli.console import say
from cli.outputs import address_lines, exports, read, save
from cli.target import Target


@click.command()
@with_target
@json_option
@click.option(
    "--export",
    "as_exports",
    is_flag=True,
    help='The local AWS\'s address and key as shell variables: eval "$(classifier outputs --export)".',
)
def outputs(target: Target, as_exports: bool) -> None:
    """Show the URLs, the API key, the buckets and the functions; keep them in .local/outputs.json."""
    if as_exports:
        click.echo("\n".join(exports(target)))
        return
    saved = save(target, read(target))
    if not answers.wrote(answers.Kind.OUTPUTS, saved):
        say("\n".join(address_lines(saved)))
