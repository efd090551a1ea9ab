"""A version's pictures inside a job: lists in one channel, files in others, found by their keys.

The lists are shards (`manifest`). A file lies below its channel's folder under its whole key, or under the
part of it below the version's root: that depends on how SageMaker was told of the files.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from contract.datasets import manifest
from contract.datasets.manifest import InvalidVersion, Picture

_TRIED: Final = 16
"""Pictures that are looked for to see where the others are."""
_MOST_DEEP: Final = 3
"""Folders before a picture's key in its whole key: `datasets/<name>/pictures/`."""


def pictures(lists: Path) -> Iterator[Picture]:
    """The pictures that the lists in a channel's folder name, at whatever depth they lie.

    Raises:
        InvalidVersion: there is no list, or one cannot be read.
    """
    shards = sorted(path for path in lists.rglob(f"*{manifest.SHARD_SUFFIX}") if path.is_file())
    if not shards:
        raise InvalidVersion(f"it holds no list of pictures (*{manifest.SHARD_SUFFIX})")
    for path in shards:
        for picture in manifest.pictures_in(path.read_bytes(), path.name):
            if any(part in ("", ".", "..") for part in picture.key.split("/")):
                raise InvalidVersion(f"{path.name} names {picture.key!r}, which is no file of a channel")
            yield picture


def root(folder: Path, keys: Sequence[str]) -> Path:
    """The folder that the keys are paths below: the channel's own, or the one in which its whole keys end."""
    tried = keys[:: len(keys) // _TRIED + 1]
    level = [folder]
    for _ in range(_MOST_DEEP + 1):
        for each in level:
            if any((each / key).is_file() for key in tried):
                return each
        level = [Path(entry.path) for each in level for entry in os.scandir(each) if entry.is_dir()]
    return folder
