"""`classifier datasets`: what data sets there are."""

from __future__ import annotations

from typing import Any

import click

from cli import answers
from cli.commands.options import json_option, listing_options, with_target
from cli.console import console, say
from cli.data import sets
from cli.stacks import outputs
from cli.target import Target
from contract.datasets import manifest, store

KEYS = ("name", "version", "pictures", "classes", "bytes", "created")


@click.command()
@with_target
@listing_options(KEYS, default="name")
@json_option
def datasets(target: Target, sort: str, limit: int | None) -> None:
    """List the data sets, each with its newest version."""
    bucket = outputs(target, "storage")["DataBucket"]
    s3 = target.client("s3")
    versioned, plain = sets.names(s3, bucket)
    rows = [_row(s3, bucket, name) for name in versioned]
    rows += [_unknown(name, "not by upload; a version is made when it is first used") for name in plain]
    rows = answers.ordered(rows, sort, limit)
    if answers.wrote(answers.Kind.DATASETS, rows):
        return
    if not rows:
        say(f"There is no data set yet. Make one: {target.command('upload FOLDER')}")
        return
    columns = ("name", "version", "pictures", "classes", "MB", "made")
    right = ("version", "pictures", "classes", "MB")
    console().print(answers.Listing(columns, [_cells(row) for row in rows], right))


def _row(s3: Any, bucket: str, name: str) -> dict[str, Any]:
    try:
        version = store.newest(s3, bucket, name)
    except (manifest.InvalidVersion, store.NoSuchVersion) as error:
        return _unknown(name, str(error))
    if version is None:
        return _unknown(name, "no version is whole: upload it again")
    return {
        "name": name,
        "version": version.number,
        "pictures": version.pictures,
        "classes": len(version.classes),
        "bytes": version.bytes,
        "created": version.created,
        "note": f"{version.origin} {version.source}".rstrip(),
    }


def _unknown(name: str, note: str) -> dict[str, Any]:
    return {**dict.fromkeys(KEYS), "name": name, "note": note}


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    if row["version"] is None:
        return row["name"], "?", "", "", "", row["note"]
    made = f"{answers.minute(row['created'])} {row['note']}"
    counts = (str(row[key]) for key in ("version", "pictures", "classes"))
    return row["name"], *counts, f"{row['bytes'] / 1e6:.1f}", made
