"""The data sets there are, by name."""

from __future__ import annotations

from typing import Any, NamedTuple

from cli import parts
from cli.stacks import outputs
from cli.target import Target
from contract import storage
from contract.objects import folders


class Names(NamedTuple):
    """The names of data sets: those with versions, and those that something else than `upload` brought."""

    versioned: tuple[str, ...]
    plain: tuple[str, ...]


def names(s3: Any, bucket: str) -> Names:
    """All data sets in the data bucket."""
    versioned = tuple(folders(s3, bucket, f"{storage.DATASETS}/"))
    ours = (*versioned, storage.DATASETS, storage.BATCH_UPLOADS)
    return Names(versioned, tuple(name for name in folders(s3, bucket, "") if name not in ours))


def named(s3: Any, bucket: str, text: str) -> str:
    """NAME or NAME@3 with the whole name, where a part of it was typed. What no data set has stays as it is:
    whoever reads it says so.

    Raises:
        Ambiguous: several have the part.
    """
    part, at, number = text.partition("@")
    known = names(s3, bucket)
    return f"{parts.one(part, [*known.versioned, *known.plain], 'data sets') or part}{at}{number}"


def meant(target: Target, text: str) -> str:
    """As `named`, of a deployment."""
    return named(target.client("s3"), outputs(target, "storage")["DataBucket"], text)
