"""The bucket of given pictures, as the model's owner works with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from cli import parts
from cli.errors import BadArgument, CliError
from cli.stacks import outputs
from cli.target import Target
from contract import given, objects
from contract.given import Decided, Feedback, Given, InvalidRecord, Review

_WORKERS = 16
_PICTURES = "given pictures"
R = TypeVar("R", Given, Feedback, Review)


class NothingIsKept(CliError):
    """The deployment keeps no picture: the setting is off."""


class NoSuchPicture(BadArgument):
    """No picture of that request is kept."""


@dataclass(frozen=True)
class Entry:
    """A given picture, what its sender said of the answer, and what was decided."""

    given: Given
    feedback: Feedback | None = None
    review: Review | None = None

    @property
    def id(self) -> str:
        return self.given.request_id

    @property
    def corrected(self) -> bool:
        """Whether the sender said that it is something else."""
        return self.feedback is not None and self.feedback.label != self.given.predicted


@dataclass(frozen=True)
class Kept:
    """What is kept now, the pictures to look at first at the front."""

    entries: tuple[Entry, ...]
    damaged: tuple[str, ...]
    """Requests whose records are none."""
    forgotten: int
    """How many were deleted just now, as their time was over."""

    @property
    def open(self) -> tuple[Entry, ...]:
        """Those that nobody decided about."""
        return tuple(each for each in self.entries if each.review is None)


class Room:
    """The bucket of a deployment.

    Raises:
        NothingIsKept: it has none.
    """

    def __init__(self, target: Target) -> None:
        told = outputs(target, "api")
        if "GivenBucket" not in told:
            raise NothingIsKept(
                'This deployment keeps no pictures. To let senders give some, set "corrections": {"days": 30}'
                " in cdk.json, under context and there under classifier, and run "
                f"`{target.command('up')}`."
            )
        self.bucket, self.days = told["GivenBucket"], int(told["GivenDays"])
        self._s3: Any = target.client("s3", max_pool_connections=_WORKERS)

    def look(self, now: datetime | None = None) -> Kept:
        """All that is kept. What is older than the setting says is deleted first: S3 does so a day later, and
        the local AWS not at all.
        """
        pictures = self._ids(given.PICTURES, "")
        answers = self._read(Given, pictures, given.answer_of)
        feedback = self._read(Feedback, self._ids(given.FEEDBACK, ".json"), given.feedback_of)
        reviews = self._read(Review, self._ids(given.REVIEWS, ".json"), given.review_of)
        oldest = (now or datetime.now(UTC)) - timedelta(days=self.days)
        old = [each for each, record in answers.items() if record and _time(record) < oldest]
        for each in old:
            self.delete(each)
        entries = [
            Entry(record, feedback.get(each), reviews.get(each))
            for each, record in answers.items()
            if record is not None and each not in old
        ]
        damaged = tuple(each for each in pictures if answers.get(each) is None)
        return Kept(tuple(sorted(entries, key=_rank)), damaged, len(old))

    def meant(self, part: str) -> str:
        """The request whose id has this part; the part itself where none has it.

        Raises:
            Ambiguous: several have it.
        """
        return parts.one(part, self._ids(given.PICTURES, ""), _PICTURES) or part

    def entry(self, request_id: str) -> Entry:
        """One given picture.

        Raises:
            NoSuchPicture: none is kept of that request.
        """
        record = self._one(Given, request_id, given.answer_of)
        if record is None:
            none = parts.none(request_id, self._ids(given.PICTURES, ""), _PICTURES)
            raise NoSuchPicture(f"{none} --list shows all.")
        feedback = self._one(Feedback, request_id, given.feedback_of)
        return Entry(record, feedback, self._one(Review, request_id, given.review_of))

    def picture(self, request_id: str) -> bytes:
        """Its bytes, as they were sent.

        Raises:
            NoSuchPicture: none is kept of that request.
        """
        content = None
        if given.REQUEST_ID.fullmatch(request_id):
            content = objects.read(self._s3, self.bucket, given.picture_of(request_id))
        if content is None:
            raise NoSuchPicture(f"The picture of the request {request_id} is not kept any more.")
        return content

    def decide(
        self, request_id: str, decided: Decided, label: str | None = None, version: str = ""
    ) -> Review:
        """Write down what was decided, in place of what was before."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        review = Review(request_id=request_id, at=now, decided=decided, label=label, version=version)
        key = given.review_of(request_id)
        self._s3.put_object(Bucket=self.bucket, Key=key, Body=review.to_json())
        return review

    def undo(self, request_id: str) -> None:
        """Take a decision back."""
        self._s3.delete_object(Bucket=self.bucket, Key=given.review_of(request_id))

    def delete(self, request_id: str) -> None:
        """Delete the picture, its answer, feedback and decision, for good: the bucket has no versions."""
        for key in given.all_of(request_id):
            self._s3.delete_object(Bucket=self.bucket, Key=key)

    def has(self, request_id: str) -> bool:
        """Whether anything is kept of a request."""
        keys = given.all_of(request_id)
        return any(each["Key"] == key for key in keys for each in objects.below(self._s3, self.bucket, key))

    def _ids(self, folder: str, suffix: str) -> list[str]:
        keys = (each["Key"] for each in objects.below(self._s3, self.bucket, f"{folder}/"))
        found = (key.removeprefix(f"{folder}/").removesuffix(suffix) for key in keys)
        return [each for each in found if given.REQUEST_ID.fullmatch(each)]

    def _read(
        self, kind: type[R], ids: Iterable[str], key_of: Callable[[str], str]
    ) -> Mapping[str, R | None]:
        wanted = list(ids)
        with ThreadPoolExecutor(_WORKERS) as pool:
            records = pool.map(lambda each: self._one(kind, each, key_of), wanted)
            return dict(zip(wanted, records, strict=True))

    def _one(self, kind: type[R], request_id: str, key_of: Callable[[str], str]) -> R | None:
        """A record; None where there is none that can be read."""
        if not given.REQUEST_ID.fullmatch(request_id):
            return None
        content = objects.read(self._s3, self.bucket, key_of(request_id), given.MAX_RECORD_BYTES)
        try:
            return None if content is None else kind.from_json(content)
        except InvalidRecord:
            return None


def _rank(entry: Entry) -> tuple[bool, bool, bool, float, str]:
    """What is not decided first; of that what its sender corrected, then the least certain."""
    certain = entry.given.answer.get("certain") is True
    return entry.review is not None, not entry.corrected, certain, entry.given.confidence, entry.id


def _time(record: Given) -> datetime:
    """When it was given; at the beginning of time where that cannot be told."""
    try:
        told = datetime.fromisoformat(record.at)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return told if told.tzinfo else told.replace(tzinfo=UTC)
