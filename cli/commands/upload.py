"""`classifier upload`"""

from __future__ import annotations

from pathlib import Path

import click

from cli.commands.options import with_target
from cli.target import Target


@click.command()
@with_target
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--dataset", help="Its name in the bucket (default: the folder's).")
def upload(target: Target, folder: Path, dataset: str | None) -> None:
    """Check every picture of FOLDER, make missing splits, and upload what is not there yet."""
    from cli.bring_data import bring_data

    bring_data(target, folder, dataset)
