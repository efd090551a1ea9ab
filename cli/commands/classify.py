"""`classifier classify`"""

from __future__ import annotations

from pathlib import Path

import click

from cli.commands.options import with_target
from cli.target import Target


@click.command()
@with_target
@click.argument("pictures", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top-k", type=click.IntRange(1), help="How many classes to show (default: 5).")
def classify(target: Target, pictures: tuple[Path, ...], top_k: int | None) -> None:
    """Ask the API what is on each of PICTURES."""
    from cli import api, render
    from cli.console import console, error_console
    from cli.errors import RequestFailed
    from cli.outputs import read

    api.must_be_files(pictures)
    outputs = read(target)
    refused = 0
    for picture in pictures:
        try:
            result = api.classify(target, outputs, picture, top_k)
        except RequestFailed as error:
            if len(pictures) == 1 or error.for_all:
                raise
            refused += 1
            error_console().print(str(error), style="red", markup=False)
            continue
        console().print(render.prediction(result))
    if refused:
        raise RequestFailed(f"{refused} of {len(pictures)} pictures got no answer; see above.")
