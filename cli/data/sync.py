"""What an upload would change of a data set, compared with its newest version."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from contract import storage
from contract.datasets import changes, rules
from contract.datasets.changes import QUIET, Change, Kind
from contract.datasets.manifest import ETAG, Picture, Version


@dataclass(frozen=True)
class Before:
    """The newest version as an upload sees it; without one, nothing."""

    version: Version | None = None
    pictures: tuple[Picture, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    """The object of each content that lies somewhere else than uploaded pictures do."""

    @property
    def uploaded(self) -> bool:
        """Whether all its pictures came by `classifier upload`."""
        return self.version is not None and self.version.root == storage.pictures_of(self.version.dataset)


@dataclass(frozen=True)
class Plan:
    """The pictures that the next version would have, and how they differ from the version before."""

    before: Before
    pictures: tuple[Picture, ...]
    changes: tuple[Change, ...]

    @property
    def loud(self) -> tuple[Change, ...]:
        """The changes that take something away, or contradict what was there."""
        return tuple(change for change in self.changes if change.kind not in QUIET)

    @property
    def gone(self) -> tuple[Picture, ...]:
        """Pictures of the version before which the next one does not have."""
        return tuple(change.picture for change in self.changes if change.kind is Kind.GONE)

    def keeping(self) -> Plan:
        """The plan in which nothing goes: what the folder does not have stays as it is."""
        pictures = tuple(rules.named_once([*self.pictures, *self.gone]))
        rest = tuple(change for change in self.changes if change.kind is not Kind.GONE)
        return Plan(self.before, pictures, rest)


def before(version: Version | None, pictures: Iterable[Picture], paths: Mapping[str, str]) -> Before:
    """The newest version, its pictures by the content that they turn out to have.

    Of those that came past `classifier upload` only S3's ETag is known, which is the MD5 of what was put in
    one piece and not encrypted by a KMS key. The others count as pictures that the folder does not have.

    Args:
        paths: the folder's file of each content.
    """
    if version is None or version.root == storage.pictures_of(version.dataset):
        return Before(version, tuple(pictures))
    by_etag = {f"{ETAG}{_md5(path)}": content for content, path in paths.items()}
    sources = {}
    recognised = []
    for picture in pictures:
        content = by_etag.get(picture.content, picture.content)
        sources[content] = version.root + picture.key
        suffix = PurePosixPath(picture.key).suffix.lower()
        recognised.append(replace(picture, content=content, key=content + suffix))
    return Before(version, tuple(recognised), sources)


def plan(pictures: Iterable[Picture], before: Before) -> Plan:
    """Compares a folder's pictures with the version before."""
    now = tuple(pictures)
    return Plan(before, now, tuple(changes.compare(before.pictures, now)))


def _md5(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
