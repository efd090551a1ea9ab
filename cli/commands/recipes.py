"""`classifier recipes`: what `tune` and `train` can be told to do."""

from __future__ import annotations

import tomllib
from typing import Any

import click

from cli import answers
from cli.commands.options import json_option, listing_options, with_target
from cli.console import console
from cli.errors import NotDeployed, NotUp
from cli.stacks import outputs
from cli.target import Target
from contract import objects, storage

KEYS = ("name", "arch", "image_size", "epochs", "trials")
_RECIPE_BYTES = 256 * 1024


@click.command()
@with_target
@listing_options(KEYS, default="name")
@json_option
def recipes(target: Target, sort: str, limit: int | None) -> None:
    """List the recipes: those of this checkout, and your own in the artifacts bucket."""
    files = {path.stem: path.read_bytes() for path in sorted((target.root / "recipes").glob("*.toml"))}
    rows = [row(name, text, "checkout") for name, text in files.items()]
    rows += [row(name, text, "bucket") for name, text in _own(target) if name not in files]
    rows = answers.ordered(rows, sort, limit)
    if answers.wrote(answers.Kind.RECIPES, rows):
        return
    columns = ("name", "network", "size", "epochs", "trials", "from", "for")
    console().print(answers.Listing(columns, [_cells(each) for each in rows], ("size", "epochs", "trials")))


def _own(target: Target) -> list[tuple[str, bytes]]:
    """The recipes in the bucket; none where nothing is deployed yet."""
    try:
        s3, bucket = target.client("s3"), outputs(target, "storage")["ArtifactsBucket"]
    except (NotUp, NotDeployed):
        return []
    keys = [each["Key"] for each in objects.below(s3, bucket, f"{storage.RECIPES}/", "/")]
    found = [(key, objects.read(s3, bucket, key, _RECIPE_BYTES)) for key in keys if key.endswith(".toml")]
    return [(key.rpartition("/")[2].removesuffix(".toml"), text) for key, text in found if text is not None]


def row(name: str, text: bytes, where: str) -> dict[str, Any]:
    """A recipe for a listing; one that cannot be read has its name alone."""
    shown = text.decode(errors="replace")
    try:
        tables = tomllib.loads(shown)
    except ValueError:
        tables = {}
    model, data, training, tuning = (_table(tables, key) for key in ("model", "data", "training", "tuning"))
    return {
        "name": name,
        "arch": model.get("arch"),
        "image_size": data.get("image_size"),
        "epochs": training.get("epochs"),
        "trials": tuning.get("max_jobs"),
        "where": where,
        "about": about(shown),
    }


def _table(tables: dict[str, Any], key: str) -> dict[str, Any]:
    found = tables.get(key)
    return found if isinstance(found, dict) else {}


def about(text: str) -> str:
    """The first sentence of the comment that a recipe begins with."""
    lines = []
    for line in text.splitlines():
        if not line.startswith("# "):
            break
        lines.append(line[2:].strip())
    return " ".join(lines).partition(". ")[0].rstrip(".")


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    values = (row[key] for key in ("arch", "image_size", "epochs", "trials"))
    return row["name"], *("" if value is None else str(value) for value in values), row["where"], row["about"]
