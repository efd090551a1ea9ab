"""A data set's version: which pictures it has, of which class, in which split.

A version is a small JSON file of counts, which launchers read, and shards that list its pictures, which only
`classifier` and training jobs read. A shard is gzipped JSON Lines, named by its content, so that versions
share those that are equal. Which shard a picture is in follows from its content.

    datasets/<name>/newest.json                {"version": 3}
    datasets/<name>/versions/3.json            `Version`
    datasets/<name>/versions/3/train.manifest  the keys of a split, in SageMaker's form of a list
    datasets/<name>/shards/<sha256>.jsonl.gz   `Picture`, one a line
    datasets/<name>/pictures/<sha256>.jpg      stored once, whatever its name, class or split
"""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final, TypedDict

from contract import storage
from contract.datasets import SPLITS

FORMAT: Final = 1
MAX_VERSION_BYTES: Final = 16 * 2**20
"""Of its JSON file: room for 100,000 classes."""
SHARD_PICTURES: Final = 20_000
"""A shard has half to all of it: 2 MB, so that one changed picture sends 2 MB and not the whole list."""
MAX_SHARDS: Final = 2**14
SHARD_SUFFIX: Final = ".jsonl.gz"
ETAG: Final = "etag-"
"""Before the content of a picture of which only S3's ETag is known."""


class InvalidVersion(ValueError):
    """A file of a version that is not what `classifier` writes; the message names it."""


@dataclass(frozen=True, slots=True, order=True)
class Picture:
    """One picture of a version."""

    label: str
    split: str
    name: str
    """Its path below its class, as its sender had it: unique within class and split."""
    content: str
    """SHA-256 in hex digits; of pictures that came past `classifier upload`, `ETAG` and S3's."""
    size: int
    """Bytes."""
    key: str
    """Below the version's root."""
    group: str = ""
    """Pictures of one group are never in different splits."""


class Line(TypedDict, total=False):
    """A line of a shard."""

    label: str
    split: str
    name: str
    content: str
    size: int
    key: str
    group: str


Counts = dict[str, int]
"""How many pictures of a class are in each split."""


@dataclass(frozen=True)
class Version:
    """A version without its list of pictures."""

    dataset: str
    number: int
    created: str
    """ISO 8601, UTC."""
    origin: str
    """One of `Origin`."""
    root: str
    """The key prefix, ending in a slash, that its pictures' keys are below."""
    classes: Mapping[str, Counts]
    bytes: int
    shards: tuple[str, ...]
    """Their keys."""
    digest: str
    """SHA-256 over all lines: two versions of one digest are the same pictures in the same places."""
    source: str = ""
    """The folder's name, or the version it was restored from."""
    parent: int | None = None
    """The version that it changed."""
    plain: str = ""
    """Digest of what lay at `<dataset>/` when this version was made; empty for nothing (see `plain`)."""
    packed: Mapping[str, str] = field(default_factory=dict)
    """The tar file of each split, where it is packed; its classes are not known then."""
    changes: Mapping[str, int] = field(default_factory=dict)
    """How many pictures the upload added, moved and so on, by `contract.datasets.changes.Kind`."""
    group_by: str = ""
    """The rule that pictures were put into groups by, as `classifier upload --group-by` has it."""

    def count(self, split: str) -> int:
        """How many pictures a split has."""
        return sum(counts[split] for counts in self.classes.values())

    @property
    def pictures(self) -> int:
        """How many there are."""
        return sum(self.count(split) for split in SPLITS)

    @property
    def key(self) -> str:
        return storage.version_of(self.dataset, self.number)

    @property
    def name(self) -> str:
        """`digits@3`, as requests and tags have it."""
        return f"{self.dataset}@{self.number}"


class Origin:
    """How a version came to be."""

    UPLOAD: Final = "upload"
    ADOPTED: Final = "adopted"
    """It lay there, brought by something else than `classifier upload`."""
    RESTORED: Final = "restored"
    DECISIONS: Final = "decisions"
    """A person's decisions about single pictures were applied."""
    CORRECTIONS: Final = "corrections"
    """Pictures that senders gave came in, or went."""


def count(pictures: Iterable[Picture]) -> dict[str, Counts]:
    """The pictures of each class in each split, classes in order."""
    counted = Counter((picture.label, picture.split) for picture in pictures)
    labels = sorted({label for label, _ in counted})
    return {label: {split: counted[label, split] for split in SPLITS} for label in labels}


def shards(pictures: Iterable[Picture]) -> Iterator[bytes]:
    """The shards of a version's pictures, in order, none of them empty."""
    pictures = tuple(pictures)
    total = _shard_count(len(pictures))
    by_shard: dict[int, list[Picture]] = defaultdict(list)
    for picture in pictures:
        by_shard[zlib.crc32(picture.content.encode()) % total].append(picture)
    for number in sorted(by_shard):
        lines = "".join(_line(picture) for picture in sorted(by_shard[number]))
        # No time of day in it: the same pictures are the same bytes.
        yield gzip.compress(lines.encode(), compresslevel=6, mtime=0)


def pictures_in(shard: bytes, key: str) -> Iterator[Picture]:
    """The pictures of a shard.

    Args:
        key: named in errors.

    Raises:
        InvalidVersion: it is none.
    """
    if not shard:  # which gzip would take
        raise InvalidVersion(f"{key} lists no pictures: it is empty")
    try:
        for text in gzip.decompress(shard).splitlines():
            line: Line = json.loads(text)
            yield Picture(
                label=line["label"],
                split=line["split"],
                name=line["name"],
                content=line["content"],
                size=line["size"],
                key=line["key"],
                group=line.get("group", ""),
            )
    except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError) as error:
        raise InvalidVersion(f"{key} lists no pictures: {type(error).__name__}: {error}") from None


def shard_key(dataset: str, shard: bytes) -> str:
    """Where a shard lies: its name follows from its content."""
    return f"{storage.shards_of(dataset)}{hashlib.sha256(shard).hexdigest()}{SHARD_SUFFIX}"


def digest(keys: Iterable[str]) -> str:
    """A version's digest, from its shards' keys, which name their contents."""
    return hashlib.sha256("\n".join(sorted(keys)).encode()).hexdigest()


def channel_list(bucket: str, keys: Iterable[str]) -> bytes:
    """Objects as SageMaker takes them in a channel of the type ManifestFile.

    The prefix is the bucket: whether a file's path in the container is its whole key or the part after the
    prefix is then the same (seen on AWS: the whole key, aws/sagemaker-python-sdk issue 723).
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3DataSource.html
    """
    return json.dumps([{"prefix": f"s3://{bucket}/"}, *keys], ensure_ascii=False, indent=0).encode()


def to_json(version: Version) -> bytes:
    """The file of a version."""
    return json.dumps({"format": FORMAT, **asdict(version)}, ensure_ascii=False, indent=1).encode()


def from_json(content: bytes, key: str) -> Version:
    """The version in a file.

    Raises:
        InvalidVersion: it is none, or one of a later format.
    """
    try:
        members = json.loads(content)
        if members.pop("format") != FORMAT:
            raise InvalidVersion(f"{key} was written by a newer version of this project: update this one")
        version = Version(**{**members, "shards": tuple(members["shards"])})
        version.pictures  # noqa: B018 - every class has its counts, or this raises
    except InvalidVersion:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidVersion(f"{key} is no version of a data set: {type(error).__name__}: {error}") from None
    return version


def _shard_count(pictures: int) -> int:
    """A power of two, so that a data set which grows splits its shards and leaves no picture's neighbours."""
    total = 1
    while total * SHARD_PICTURES < pictures and total < MAX_SHARDS:
        total *= 2
    return total


def _line(picture: Picture) -> str:
    line: Line = {
        "label": picture.label,
        "split": picture.split,
        "name": picture.name,
        "content": picture.content,
        "size": picture.size,
        "key": picture.key,
    }
    if picture.group:
        line["group"] = picture.group
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
