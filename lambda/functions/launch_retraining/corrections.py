"""How many accepted corrections a data set has gained, by what its versions say that they changed."""

from __future__ import annotations

from typing import Any

from contract.datasets import store
from contract.datasets.changes import Kind
from contract.datasets.manifest import Origin, Version
from contract.names import DATASET_VERSION


def count(s3: Any, bucket: str, newest: Version, since: int) -> int:
    """How many corrections are in a version that version number `since` of its data set did not have.

    A version that was deleted is not counted: nothing is left that says how many it brought.
    """
    there = store.numbers(s3, bucket, newest.dataset)
    version, found = newest, 0
    while version.number > since:
        if version.origin == Origin.CORRECTIONS:
            changed = version.changes
            found += changed.get(Kind.ADDED, 0) + changed.get(Kind.RELABELLED, 0) - changed.get(Kind.GONE, 0)
        made_of = _made_of(version)
        earlier = [number for number in there if number <= made_of and number < version.number]
        if not earlier:
            break
        version = store.read(s3, bucket, newest.dataset, max(earlier))
    return max(found, 0)


def _made_of(version: Version) -> int:
    """The number of the version whose pictures this one has, but for what it says that it changed."""
    source = DATASET_VERSION.fullmatch(version.source) if version.origin == Origin.RESTORED else None
    return int(source["number"] or 0) if source else version.parent or 0
