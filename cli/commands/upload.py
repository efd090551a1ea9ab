"""`classifier upload`"""

from __future__ import annotations

from pathlib import Path

import click

from cli.commands.options import confirm_cost, with_target, yes_option
from cli.target import Target


@click.command()
@with_target
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--dataset", help="Its name in the bucket (default: the folder's).")
@yes_option
def upload(target: Target, folder: Path, dataset: str | None, yes: bool) -> None:
    """Check every picture of FOLDER, make missing splits, and upload what is not there yet.

    On AWS it says before what that costs, and asks.
    """
    from cli.bring_data import bring_data

    bring_data(target, folder, dataset, agree=lambda cost: confirm_cost(target, cost, yes))
