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
from typing import Final, NamedTuple

from contract.datasets import manifest
from contract.datasets.manifest import Picture
from training_code.data.picture_files import Files
from training_code.errors import UnusableDataset

_TRIED: Final = 16
"""Pictures that are looked for to see where the others are."""
_MOST_DEEP: Final = 3
"""Folders before a picture's key in its whole key: `datasets/<name>/pictures/`."""


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
    shards = sorted(path for path in lists.rglob(f"*{manifest.SHARD_SUFFIX}") if path.is_file())
    if not shards:
        raise UnusableDataset(
            f"the channel {lists.name!r} holds no list of pictures (*{manifest.SHARD_SUFFIX}); leave that "
            "channel out to train on all pictures in the class folders of train, valid and test"
        )
    for path in shards:
        try:
            yield from manifest.pictures_in(path.read_bytes(), path.name)
        except manifest.InvalidVersion as error:
            raise UnusableDataset(f"the channel {lists.name!r}: {error}") from None


def _files(split: str, folder: Path, listed: list[_Listed]) -> Files:
    root = _root(folder, [each.key for each in listed])
    by_class: dict[str, list[str]] = defaultdict(list)
    paths: dict[str, str] = {}
    for each in listed:
        label, _, name = each.name.partition("/")
        by_class[label].append(name)
        paths[each.name] = each.key
    _must_be_there(split, root, paths)
    return Files(root, by_class, listed=paths)


def _root(folder: Path, keys: list[str]) -> Path:
    """The folder that the keys are paths below: the channel's own, or the one in which its whole keys end."""
    tried = keys[:: len(keys) // _TRIED + 1]
    level = [folder]
    for _ in range(_MOST_DEEP + 1):
        for each in level:
            if any((each / key).is_file() for key in tried):
                return each
        level = [Path(entry.path) for each in level for entry in os.scandir(each) if entry.is_dir()]
    return folder


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
