"""The chosen pictures, brought here one by one, until there are enough that are of use.

Left out is what cannot be had or decoded any more, what the data set has already, and near duplicates of
pictures that were taken: the doctor's eye for them is the one of `classifier upload`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from cli.data.pictures import Checked, check
from cli.data.sending import WORKERS
from cli.select.answered import Answers
from contract import objects, storage
from contract.cores import usable_cores
from contract.datasets import store
from contract.datasets.manifest import ETAG, Version

_MOST_TRIED: Final = 4
"""So many pictures are looked at for each that is wanted; among mere copies there is no end of it."""

Read = Callable[[str], bytes | None]
"""Gives a picture's content by its name; None where it is gone."""


@dataclass(frozen=True)
class Known:
    """The pictures of a data set's version, by what S3 and we tell contents by."""

    etags: frozenset[bytes] = frozenset()
    contents: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Taken:
    """A picture that is to be labelled."""

    row: int
    group: int
    path: Path
    checked: Checked


@dataclass
class Picked:
    """The pictures, and how many were left out on the way, and why."""

    taken: list[Taken] = field(default_factory=list)
    gone: int = 0
    unusable: int = 0
    known: int = 0
    near_duplicates: int = 0


def known(s3: Any, bucket: str, version: Version) -> Known:
    """The pictures of a version."""
    pictures = list(store.pictures(s3, bucket, version))
    contents = frozenset(each.content for each in pictures)
    etags = {each.removeprefix(ETAG).encode() for each in contents if each.startswith(ETAG)}
    if version.root == storage.pictures_of(version.dataset):
        keys = {version.root + each.key for each in pictures}
        there = objects.below(s3, bucket, version.root)
        etags |= {each["ETag"].strip('"').encode() for each in there if each["Key"] in keys}
    return Known(frozenset(etags), contents)


def candidates(answers: Answers, there: Known) -> tuple[NDArray[np.int64], int, int]:
    """The rows that may be chosen: of each content one, and none that is there already.

    Returns:
        The rows, and how many are left out as they are there, and as copies.
    """
    etags = answers.etags
    first = np.zeros(len(etags), bool)
    first[np.unique(etags, return_index=True)[1]] = True
    first |= etags == b""  # of these nothing is known
    new = ~np.isin(etags, np.array(list(there.etags), etags.dtype)) if there.etags else np.ones_like(first)
    return np.flatnonzero(first & new), int((~new).sum()), int((new & ~first).sum())


def pick(
    turns: Iterator[tuple[int, int]],
    names: list[str],
    count: int,
    read: Read,
    folder: Path,
    there: Known,
    on_read: Callable[[int], None] = lambda more: None,
) -> Picked:
    """Bring pictures into `folder` until there are `count`, or no more to be had.

    Args:
        turns: the group and the row of each that may be taken, the best first.
        read: may be called by several threads.
        on_read: called with how many more were looked at.
    """
    picked, tried = Picked(), 0
    with ThreadPoolExecutor(WORKERS) as pool:
        while len(picked.taken) < count and tried < _MOST_TRIED * count:
            some = list(islice(turns, count - len(picked.taken)))
            if not some:
                break
            tried += len(some)
            came = list(pool.map(lambda turn: _look(turn, names, read, folder), some))
            on_read(len(some))
            _take(picked, [each for each in came if each is not None], there)
            picked.gone += came.count(None)
    return picked


def _look(turn: tuple[int, int], names: list[str], read: Read, folder: Path) -> Taken | None:
    group, row = turn
    content = read(names[row])
    if content is None:
        return None
    # A picture is what its bytes are, also where its name has no end or another's; this one is taken by all.
    path = folder / f"{row}.jpg"
    path.write_bytes(content)
    return Taken(row, group, path, check(path))


def _take(picked: Picked, came: list[Taken], there: Known) -> None:
    """Add what is of use, the first of those that are alike."""
    usable = [each for each in came if not each.checked.problem]
    picked.unusable += len(came) - len(usable)
    new = [each for each in usable if each.checked.content not in there.contents]
    picked.known += len(usable) - len(new)
    together = [*picked.taken, *new]
    kept = _first_of_alike(together)
    picked.near_duplicates += len(together) - len(kept)
    kept_rows = {each.row for each in kept}
    for each in came:
        if each.row not in kept_rows:
            each.path.unlink()
    picked.taken = kept


def _first_of_alike(pictures: list[Taken]) -> list[Taken]:
    if len(pictures) < 2:
        return pictures
    from doctor.duplicates import find
    from doctor.pictures.album import of_thumbnails

    album = of_thumbnails(
        [each.checked.content for each in pictures], [each.checked.thumbnail for each in pictures]
    )
    alike = find.find(album, usable_cores()).group.tolist()
    return [each for row, each in enumerate(pictures) if alike[row] == row]


def reader(s3: Any, bucket: str, below: str, folder: Path | None) -> Read:
    """Reads pictures from a folder of this machine, or else from the bucket.

    Args:
        below: the key that names of pictures go on from.
    """

    def of_folder(name: str) -> bytes | None:
        assert folder is not None  # noqa: S101 - it is read then
        try:
            return (folder / name).read_bytes()
        except OSError:
            return None

    def of_bucket(name: str) -> bytes | None:
        return objects.read(s3, bucket, f"{below}{name}")

    return of_bucket if folder is None else of_folder
