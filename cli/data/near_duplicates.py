"""Near duplicates of a folder: the same picture recompressed, resized, cropped or mirrored.

They are no reason to leave one out, but the two must not be in different splits: a network that was shown the
one in training has seen the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from contract.datasets.manifest import Picture

MOST: Final = 300_000
"""Pictures up to which an upload looks for them: some minutes, and half a gigabyte."""
_PREFIX: Final = "alike-"


def grouped(pictures: Sequence[Picture], thumbnails: Mapping[str, bytes]) -> tuple[Picture, ...]:
    """The pictures, of which near duplicates are in one group, with all of the groups that they were in.

    Args:
        thumbnails: of each content.
    """
    if not 1 < len(pictures) <= MOST:
        return tuple(pictures)
    from doctor.duplicates.find import find
    from doctor.pictures.album import of_thumbnails

    contents = [picture.content for picture in pictures]
    found = find(of_thumbnails(contents, [thumbnails[content] for content in contents])).near
    links = _Links()
    for pair in found:
        links.join(contents[pair.first], contents[pair.second])
    if not found:
        return tuple(pictures)
    for picture in pictures:
        if picture.group:
            links.join(picture.content, f"group {picture.group}")
    members = {end for pair in found for end in (contents[pair.first], contents[pair.second])}
    alike = {links.root(content) for content in members}
    name_of: dict[str, str] = {}
    for picture in sorted(pictures):
        root = links.root(picture.content)
        if root in alike:
            name_of.setdefault(root, picture.group or f"{_PREFIX}{picture.content[:16]}")
    return tuple(
        replace(picture, group=name_of.get(links.root(picture.content), picture.group))
        for picture in pictures
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


class _Links:
    """Which names belong together, by union and find."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, name: str) -> str:
        while (parent := self._parent.get(name, name)) != name:
            self._parent[name] = self._parent.get(parent, parent)
            name = parent
        return name

    def join(self, one: str, other: str) -> None:
        self._parent[self.root(one)] = self.root(other)
