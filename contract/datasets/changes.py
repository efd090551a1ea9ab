"""What is different between two lists of pictures: by content, so that a new name is no new picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from contract.datasets.manifest import Picture


class Kind(StrEnum):
    """What happened to a picture, the gravest first: one that changed class and split is relabelled."""

    ADDED = "added"
    GONE = "gone"
    RELABELLED = "relabelled"
    MOVED = "moved"
    """Between splits."""
    RENAMED = "renamed"


QUIET = frozenset({Kind.ADDED, Kind.RENAMED})
"""What takes nothing away and contradicts nothing that was there."""


@dataclass(frozen=True)
class Change:
    """One picture as it was and as it is; None where it is not."""

    kind: Kind
    before: Picture | None
    after: Picture | None

    @property
    def picture(self) -> Picture:
        """As it is, or as it was when it is gone."""
        return self.after or self.before  # type: ignore[return-value]


def compare(before: Iterable[Picture], after: Iterable[Picture]) -> Iterator[Change]:
    """The changes that make `after` of `before`. Each list has a content at most once."""
    old = {picture.content: picture for picture in before}
    for picture in after:
        was = old.pop(picture.content, None)
        kind = _kind(was, picture)
        if kind is not None:
            yield Change(kind, was, picture)
    for picture in old.values():
        yield Change(Kind.GONE, picture, None)


def count(changes: Iterable[Change]) -> dict[str, int]:
    """How many there are of each kind, in the order of `Kind`."""
    counted = Counter(change.kind for change in changes)
    return {kind.value: counted[kind] for kind in Kind if counted[kind]}


def _kind(was: Picture | None, now: Picture) -> Kind | None:
    if was is None:
        return Kind.ADDED
    if was.label != now.label:
        return Kind.RELABELLED
    if was.split != now.split:
        return Kind.MOVED
    return Kind.RENAMED if was.name != now.name else None
