"""Do a candidate and the champion tell the same classes apart, as their callers have them?

A caller gets a class by its name and by its index (`predicted_class` and `class_index`). So two lists are the
same when each name has the same index: names in another order are other answers. Training sorts its classes,
so of its models only the names can differ. The name of the data set plays no part.

The champion's classes are in the registry's copy of its evaluation, and their digest in its package's
metadata. Where both are missing (an older package, or somebody's own), the same test split has the same
class folders. What is then still unknown counts as different: a person can tell.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

_NAMED = 5
_LISTED = 20
_LENGTH = 24


@dataclass(frozen=True)
class Difference:
    """What callers would find changed."""

    known: bool
    """Whether anything is known of the champion's classes."""
    named: bool = False
    """Whether their names are: a digest has none."""
    new: tuple[str, ...] = ()
    """Names that only the candidate has."""
    gone: tuple[str, ...] = ()
    """Names that only the champion has."""

    @property
    def words(self) -> str:
        """What is the matter with the champion's; it comes after its name."""
        if not self.known:
            return "has no recorded classes"
        if self.named and not self.new and not self.gone:
            return "has the same classes with other indices"
        return "tells other classes apart"

    @property
    def names(self) -> str:
        """The first names of each kind; nothing where there are none, or they are not known."""
        kinds = (("new", self.new), ("gone", self.gone))
        return " - ".join(f"{kind} {_named(names)}" for kind, names in kinds if names)

    @property
    def numbers(self) -> dict[str, Any]:
        """The same as data; of very many names the first."""
        return {
            "known": self.known,
            "new": list(self.new[:_LISTED]),
            "new_count": len(self.new),
            "gone": list(self.gone[:_LISTED]),
            "gone_count": len(self.gone),
        }


def digest(classes: Sequence[str]) -> str:
    """SHA-256 of the names in the order of their index: a package's metadata has no room for the names."""
    return sha256(json.dumps(list(classes)).encode()).hexdigest()


def difference(
    candidate: Sequence[str], champion: Sequence[str], champion_digest: str, same_pictures: bool
) -> Difference | None:
    """What differs for callers, or None when nothing does.

    Args:
        champion: its classes; empty when they are not known.
        champion_digest: their digest; empty when it is not known.
        same_pictures: whether both were tested on the same files in the same class folders.
    """
    if champion:
        if tuple(champion) == tuple(candidate):
            return None
        before, now = set(champion), set(candidate)
        return Difference(
            known=True,
            named=True,
            new=tuple(name for name in candidate if name not in before),
            gone=tuple(name for name in champion if name not in now),
        )
    same = champion_digest == digest(candidate) if champion_digest else same_pictures
    return None if same else Difference(known=bool(champion_digest))


def _named(names: Sequence[str]) -> str:
    short = [name if len(name) <= _LENGTH else f"{name[: _LENGTH - 1]}…" for name in names[:_NAMED]]
    more = [f"{len(names) - _NAMED} more"] if len(names) > _NAMED else []
    return " and ".join([*short, *more])
