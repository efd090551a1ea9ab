"""The book of what was started: which searches, why, and the most that each can cost.

One object. Each entry is written before its search starts, on condition that nobody wrote meanwhile: so two
that look at once cannot both spend what is left of a month's budget.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from botocore.exceptions import ClientError

from contract import storage
from contract.aws_errors import code_of
from contract.names import DATASET_VERSION
from functions.common.clients import client
from functions.common.errors import ClassifierError

KEY: Final = f"{storage.RETRAINING}/started.json"
_FORMAT: Final = 1
_MOST: Final = 1000
"""Entries that are kept, the newest."""
_MISSING: Final = ("NoSuchKey", "404")
_CHANGED: Final = ("PreconditionFailed", "ConditionalRequestConflict")


class BookInvalid(ClassifierError):
    """The book cannot be read, so nobody knows what of the budget is left."""


class ChangedMeanwhile(ClassifierError):
    """Somebody else wrote into the book since it was read."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One search."""

    run: str
    at: str
    """ISO 8601, UTC."""
    champion: str
    """The model package that it is to be better than."""
    recipe: str
    dataset: str
    """With its version: `dogs@5`."""
    scheduled: Mapping[str, float]
    """Its causes (`contract.retraining`)."""
    most_usd: float
    started: bool = False
    """Whether launch-tuning said so; an entry that it said no to is taken out."""

    @property
    def month(self) -> str:
        return self.at[:7]


@dataclass(frozen=True)
class Book:
    """The book as it was read."""

    entries: tuple[Entry, ...] = ()
    etag: str = ""
    """Of the object; empty: there is none yet."""

    def of(self, run: str) -> Entry | None:
        return next((each for each in self.entries if each.run == run), None)

    @property
    def pending(self) -> Entry | None:
        """What is counted, and of which nobody knows yet whether it was started."""
        return next((each for each in self.entries if not each.started), None)

    def spent(self, month: str) -> float:
        """The most that a month's searches can cost together, in USD; a month is `2026-11`."""
        return sum(each.most_usd for each in self.entries if each.month == month)

    def newest_of(self, dataset: str) -> int:
        """The newest version of a data set that was searched on; 0 without any."""
        versions = (DATASET_VERSION.fullmatch(each.dataset) for each in self.entries)
        return max((int(v["number"] or 0) for v in versions if v and v["dataset"] == dataset), default=0)

    def having(self, entry: Entry) -> Book:
        """With an entry, in place of an older one of its run."""
        return replace(self, entries=(*self.without(entry.run).entries, entry)[-_MOST:])

    def without(self, run: str) -> Book:
        return replace(self, entries=tuple(each for each in self.entries if each.run != run))


def read(bucket: str) -> Book:
    """The book; an empty one before the first entry.

    Raises:
        BookInvalid: it is damaged.
    """
    try:
        answer = client("s3").get_object(Bucket=bucket, Key=KEY)
    except ClientError as error:
        if code_of(error) in _MISSING:
            return Book()
        raise
    with answer["Body"] as body:
        content = body.read()
    try:
        members = json.loads(content)
        if members["format"] != _FORMAT:
            raise ValueError(f"it is of format {members['format']}")
        return Book(tuple(Entry(**each) for each in members["entries"]), answer["ETag"])
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise BookInvalid(
            f"s3://{bucket}/{KEY} is damaged ({type(error).__name__}: {error}): bring an older version of it "
            "back, or delete it, after which this month's budget is counted from 0"
        ) from None


def write(bucket: str, book: Book) -> Book:
    """Put the book in place of the one that it was made of; returns it as it can be written next.

    Raises:
        ChangedMeanwhile: that is not the newest any more.
    """
    body = {"format": _FORMAT, "entries": [asdict(each) for each in book.entries]}
    condition: dict[str, Any] = {"IfMatch": book.etag} if book.etag else {"IfNoneMatch": "*"}
    try:
        answer = client("s3").put_object(
            Bucket=bucket,
            Key=KEY,
            Body=json.dumps(body, indent=1).encode(),
            ContentType="application/json",
            **condition,
        )
    except ClientError as error:
        if code_of(error) in (*_CHANGED, *_MISSING):
            raise ChangedMeanwhile(f"s3://{bucket}/{KEY} was changed meanwhile") from None
        raise
    return replace(book, etag=answer["ETag"])
