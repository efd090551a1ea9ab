"""The picture files of a data set's version: its lists say which file has which class, split and name.

The lists come in a channel of their own, as shards (`contract.datasets.manifest`). The channels of the splits
hold the files they name, by their whole keys or by the part below the version's pictures: which of the two
depends on how SageMaker was told of them.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from contract.datasets import channels
from contract.datasets.manifest import InvalidVersion, Picture
from training_code.data.picture_files import Files
from training_code.errors import UnusableDataset


class _Listed(NamedTuple):
    """In the order of contents, so that another name or another neighbour moves nothing."""

    content: str
    name: str
    """`<class>/<picture>`."""
    key: str


def find(folders: Mapping[str, Path], lists: Path) -> dict[str, Files]:
    """The files of each split.

    Args:
        folders: of the splits' channels.
        lists: the channel's folder with the shards, at whatever depth.

    Raises:
        UnusableDataset: a list that cannot be read, or a picture that is listed and not there.
    """
    by_split: dict[str, list[_Listed]] = {split: [] for split in folders}
    for picture in _pictures(lists):
        if picture.split in by_split:
            name = f"{picture.label}/{picture.name}"
            by_split[picture.split].append(_Listed(picture.content, name, picture.key))
    return {split: _files(split, folders[split], sorted(listed)) for split, listed in by_split.items()}


def _pictures(lists: Path) -> Iterator[Picture]:
    try:
        yield from channels.pictures(lists)
    except InvalidVersion as error:
        raise UnusableDataset(
            f"the channel {lists.name!r}: {error}. Leave that channel out to train on all pictures in the "
            "class folders of train, valid and test"
        ) from None


def _files(split: str, folder: Path, listed: list[_Listed]) -> Files:
    root = channels.root(folder, [each.key for each in listed])
    by_class: dict[str, list[str]] = defaultdict(list)
    paths: dict[str, str] = {}
    for each in listed:
        label, _, name = each.name.partition("/")
        by_class[label].append(name)
        paths[each.name] = each.key
    _must_be_there(split, root, paths)
    return Files(root, by_class, listed=paths)


def _must_be_there(split: str, root: Path, paths: Mapping[str, str]) -> None:
    """A look at each folder, not at each file: in FastFile mode a file costs a request."""

    @cache
    def inside(folder: str) -> frozenset[str]:
        try:
            with os.scandir(root / folder) as entries:
                return frozenset(entry.name for entry in entries)
        except (FileNotFoundError, NotADirectoryError):
            return frozenset()

    missing = []
    for name, key in paths.items():
        parent, _, file = key.rpartition("/")
        if file not in inside(parent):
            missing.append(name)
    if missing:
        raise UnusableDataset(
            f"{len(missing)} of the {len(paths)} pictures that the data set's version lists in {split!r} are "
            f"not there; the first is {missing[0]} (key {paths[missing[0]]}). If they were deleted on "
            "purpose, train on the newest version"
        )
