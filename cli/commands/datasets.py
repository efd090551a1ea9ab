"""`classifier datasets`: what data sets there are."""

from __future__ import annotations

from typing import Any

import click

from cli.commands.options import with_target
from cli.console import console, say
from cli.stacks import outputs
from cli.target import Target
from contract import storage
from contract.datasets import manifest, store
from contract.objects import folders


@click.command()
@with_target
def datasets(target: Target) -> None:
    """List the data sets, each with its newest version."""
    from rich.table import Table

    bucket = outputs(target, "storage")["DataBucket"]
    s3 = target.client("s3")
    versioned = list(folders(s3, bucket, f"{storage.DATASETS}/"))
    plain = [
        name
        for name in folders(s3, bucket, "")
        if name not in (*versioned, storage.DATASETS, storage.BATCH_UPLOADS)
    ]
    if not versioned and not plain:
        say("There is no data set yet. Make one: classifier upload FOLDER")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in ("name", "version", "pictures", "classes", "MB", "made"):
        table.add_column(column, justify="left" if column in ("name", "made") else "right")
    for name in versioned:
        table.add_row(name, *_cells(s3, bucket, name))
    for name in plain:
        table.add_row(name, "-", "", "", "", "not by upload; a version is made when it is first used")
    console().print(table)


def _cells(s3: Any, bucket: str, name: str) -> tuple[str, ...]:
    try:
        version = store.newest(s3, bucket, name)
    except (manifest.InvalidVersion, store.NoSuchVersion) as error:
        return "?", "", "", "", str(error)
    if version is None:
        return "-", "", "", "", "no version is whole: upload it again"
    made = f"{version.created[:16].replace('T', ' ')} {version.origin} {version.source}".rstrip()
    megabytes = f"{version.bytes / 1e6:.1f}"
    return str(version.number), str(version.pictures), str(len(version.classes)), megabytes, made
