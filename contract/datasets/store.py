"""Reading, writing and deleting the versions of data sets in S3.

Whatever is killed in the middle leaves the newest version whole. A version's file is written after all that
it names, and the pointer after that; a deletion takes the pointer and the version's file away before anything
that it names. What is left over is finished by the next upload or deletion.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from contract import objects, storage
from contract.aws_errors import code_of
from contract.datasets import SPLITS, manifest
from contract.datasets.manifest import MAX_VERSION_BYTES, InvalidVersion, Picture, Version

WORKERS: Final = 16
SHARDS: Final = "shards"
"""Beside the lists of the splits: the list of a version's shards."""
_TAKEN: Final = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class NoSuchVersion(LookupError):
    """There is no such version; the message says which there are."""


class ChangedMeanwhile(Exception):
    """Somebody else made a version of the same data set meanwhile; nothing of it was lost."""


@dataclass(frozen=True, kw_only=True)
class Draft:
    """What a new version will be."""

    dataset: str
    origin: str
    root: str
    pictures: Sequence[Picture]
    parent: Version | None
    """The newest version, which this one changes."""
    source: str = ""
    plain: str = ""
    packed: dict[str, str] | None = None
    changes: dict[str, int] | None = None
    group_by: str = ""

    @cached_property
    def shards(self) -> dict[str, bytes]:
        """The lists of its pictures by their keys, which a preview and the writing both need."""
        return {manifest.shard_key(self.dataset, blob): blob for blob in manifest.shards(self.pictures)}


def newest(s3: Any, bucket: str, dataset: str) -> Version | None:
    """The newest version, or None when the data set has none.

    Raises:
        InvalidVersion: its files are not what this project writes.
    """
    content = objects.read(s3, bucket, storage.newest_of(dataset), 1024)
    if content is None:
        return None
    try:
        number = int(json.loads(content)["version"])
    except (ValueError, LookupError, TypeError) as error:
        raise InvalidVersion(f"{storage.newest_of(dataset)} names no version: {error}") from None
    return read(s3, bucket, dataset, number)


def read(s3: Any, bucket: str, dataset: str, number: int) -> Version:
    """A version of a data set.

    Raises:
        NoSuchVersion: there is none of that number.
        InvalidVersion: its file is not what this project writes.
    """
    key = storage.version_of(dataset, number)
    content = objects.read(s3, bucket, key, MAX_VERSION_BYTES)
    if content is None:
        there = ", ".join(map(str, numbers(s3, bucket, dataset))) or "none"
        raise NoSuchVersion(f'the data set "{dataset}" has no version {number}; there are: {there}')
    return manifest.from_json(content, key)


def numbers(s3: Any, bucket: str, dataset: str) -> list[int]:
    """The numbers of all versions, in order."""
    prefix = storage.versions_of(dataset)
    names = [each["Key"].removeprefix(prefix) for each in objects.below(s3, bucket, prefix, "/")]
    return sorted(int(name.removesuffix(".json")) for name in names if name.removesuffix(".json").isdigit())


def pictures(s3: Any, bucket: str, version: Version) -> Iterator[Picture]:
    """All pictures of a version.

    Raises:
        InvalidVersion: a shard is missing or damaged.
    """
    return listed(s3, bucket, version.shards)


def write(s3: Any, bucket: str, draft: Draft, on_written: Callable[[], None] = lambda: None) -> Version:
    """Make a draft the newest version. Its pictures lie in the bucket already.

    Writing the same draft twice makes one version.

    Args:
        on_written: called once everything but the pointer is written, for tests.

    Raises:
        ChangedMeanwhile: the newest version is not the draft's parent any more.
    """
    dataset, parent = draft.dataset, draft.parent
    _must_be_newest(s3, bucket, dataset, parent)
    version, left_over = _next(s3, bucket, draft)
    if left_over:
        point(s3, bucket, version)
        return version
    known = set(parent.shards) if parent else set()
    bodies = {key: blob for key, blob in draft.shards.items() if key not in known}
    for name, keys in _channels(version, draft.pictures):
        bodies[storage.version_list(dataset, version.number, name)] = manifest.channel_list(bucket, keys)
    _put_all(s3, bucket, bodies)
    try:
        s3.put_object(Bucket=bucket, Key=version.key, Body=manifest.to_json(version), IfNoneMatch="*")
    except s3.exceptions.ClientError as error:
        if code_of(error) in _TAKEN:
            raise _changed(dataset) from None
        raise
    on_written()
    point(s3, bucket, version)
    return version


def preview(s3: Any, bucket: str, draft: Draft) -> Version:
    """The version that `write` would make of a draft; nothing is written."""
    return _next(s3, bucket, draft)[0]


def restore(s3: Any, bucket: str, version: Version, parent: Version) -> Version:
    """Make an older version's pictures the newest version, as a new one.

    Raises:
        ChangedMeanwhile: the newest version is not `parent` any more.
    """
    draft = Draft(
        dataset=version.dataset,
        origin=manifest.Origin.RESTORED,
        root=version.root,
        pictures=tuple(pictures(s3, bucket, version)),
        parent=parent,
        source=version.name,
        plain=parent.plain,
        packed=dict(version.packed),
        group_by=version.group_by,
    )
    return write(s3, bucket, draft)


def existing(s3: Any, bucket: str, dataset: str) -> set[str]:
    """The keys of the uploaded pictures, below their root."""
    root = storage.pictures_of(dataset)
    return {each["Key"].removeprefix(root) for each in objects.below(s3, bucket, root)}


def _next(s3: Any, bucket: str, draft: Draft) -> tuple[Version, bool]:
    """The version of a draft, and whether it was written before and is not the newest yet."""
    dataset, parent, keys = draft.dataset, draft.parent, tuple(draft.shards)
    digest, there = manifest.digest(keys), numbers(s3, bucket, dataset)
    if there and (parent is None or there[-1] > parent.number):
        left_over = read(s3, bucket, dataset, there[-1])
        same = left_over.digest == digest and left_over.root == draft.root
        if same and left_over.group_by == draft.group_by:
            return left_over, True
    version = Version(
        dataset=dataset,
        number=(there[-1] if there else 0) + 1,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        origin=draft.origin,
        root=draft.root,
        classes=manifest.count(draft.pictures),
        bytes=sum(picture.size for picture in draft.pictures),
        shards=keys,
        digest=digest,
        source=draft.source,
        parent=parent.number if parent else None,
        plain=draft.plain,
        packed=draft.packed or {},
        changes=draft.changes or {},
        group_by=draft.group_by,
    )
    return version, False


def _channels(version: Version, listed: Sequence[Picture]) -> Iterator[tuple[str, Iterable[str]]]:
    yield SHARDS, version.shards
    for split in SPLITS:
        yield split, (version.root + picture.key for picture in listed if picture.split == split)


def _must_be_newest(s3: Any, bucket: str, dataset: str, parent: Version | None) -> None:
    now = newest(s3, bucket, dataset)
    if (now.number if now else None) != (parent.number if parent else None):
        raise _changed(dataset)


def _changed(dataset: str) -> ChangedMeanwhile:
    return ChangedMeanwhile(
        f'Somebody else made a version of the data set "{dataset}" meanwhile. Run the same command again: it '
        "compares with that one, and what was sent is not sent twice."
    )


def point(s3: Any, bucket: str, version: Version) -> None:
    """Call a version the newest."""
    body = json.dumps({"version": version.number}).encode()
    s3.put_object(Bucket=bucket, Key=storage.newest_of(version.dataset), Body=body)


def listed(s3: Any, bucket: str, keys: Iterable[str]) -> Iterator[Picture]:
    """The pictures in shards.

    Raises:
        InvalidVersion: one of them is missing or damaged.
    """

    def fetched(key: str) -> bytes:
        content = objects.read(s3, bucket, key)
        if content is None:
            raise InvalidVersion(f"s3://{bucket}/{key} is missing: somebody deleted it past this project")
        return content

    ordered = tuple(keys)
    with ThreadPoolExecutor(WORKERS) as pool:
        # A few at a time: the shards of ten million pictures are a gigabyte.
        for start in range(0, len(ordered), WORKERS):
            batch = ordered[start : start + WORKERS]
            for key, content in zip(batch, pool.map(fetched, batch), strict=True):
                yield from manifest.pictures_in(content, key)


def _put_all(s3: Any, bucket: str, bodies: dict[str, bytes]) -> None:
    with ThreadPoolExecutor(WORKERS) as pool:
        for _ in pool.map(
            lambda item: s3.put_object(Bucket=bucket, Key=item[0], Body=item[1]), bodies.items()
        ):
            pass
