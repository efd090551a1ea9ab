"""Near duplicates of a folder: the same picture recompressed, resized, cropped or mirrored.

They are no reason to leave one out, but the two must not be in different splits: a network that was shown the
one in training has seen the other.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Final

from contract.cores import usable_cores
from contract.datasets.manifest import Picture

MOST: Final = 300_000
"""Pictures up to which an upload looks for them: some minutes, and half a gigabyte."""
_PREFIX: Final = "alike-"


def grouped(
    pictures: Sequence[Picture], thumbnails: Mapping[str, bytes], known: Collection[str] = ()
) -> tuple[Picture, ...]:
    """The pictures, of which near duplicates are in one group, with all of the groups that they were in.

    Args:
        thumbnails: of each content.
        known: contents that were looked for among each other before, and have the groups they came to.
    """
    if not 1 < len(pictures) <= MOST:
        return tuple(pictures)
    from doctor.duplicates import find
    from doctor.pictures.album import of_thumbnails

    contents = [picture.content for picture in pictures]
    album = of_thumbnails(contents, [thumbnails[content] for content in contents])
    near = find.find(album, usable_cores(), known=known).near
    if not near:
        return tuple(pictures)
    links = [(pair.first, pair.second) for pair in near]
    first_of: dict[str, int] = {}
    for row, picture in enumerate(pictures):
        if picture.group:
            links.append((first_of.setdefault(picture.group, row), row))
    root = find.grouped(len(pictures), links).tolist()
    alike = {root[row] for pair in near for row in (pair.first, pair.second)}
    name_of: dict[int, str] = {}
    for picture, row in sorted((picture, row) for row, picture in enumerate(pictures)):
        if root[row] in alike:
            name_of.setdefault(root[row], picture.group or f"{_PREFIX}{picture.content[:16]}")
    return tuple(
        replace(picture, group=name_of.get(root[row], picture.group)) for row, picture in enumerate(pictures)
    )


def across_splits(pictures: Sequence[Picture]) -> list[tuple[Picture, Picture]]:
    """Pairs of one group that are in different splits, where a folder or a person put them: one a group."""
    first: dict[str, Picture] = {}
    pairs: dict[str, tuple[Picture, Picture]] = {}
    for picture in pictures:
        if picture.group:
            other = first.setdefault(picture.group, picture)
            if other.split != picture.split:
                pairs.setdefault(picture.group, (other, picture))
    return list(pairs.values())
