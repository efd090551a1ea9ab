"""Pictures that their senders gave, the answers, and what people said of them: where they lie, in which form.

They have a bucket of their own, which is there with the setting `corrections.days` only.

    pictures/<request id>        the bytes as they were sent
    answers/<request id>.json    `Given`
    feedback/<request id>.json   `Feedback`: what the sender said of the answer
    reviews/<request id>.json    `Review`: what the model's owner decided
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final, Self

from contract.api import SWITCH

GIVE: Final = "x-give-picture"
"""The header by which a sender agrees that this one picture is kept, with a value of `SWITCH`."""
GIVEN: Final = SWITCH[0]
SENDER: Final = "x-sender"
"""The header by which a client tells several senders of one API key apart: a random word."""
SENDER_WORD: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")

PICTURES: Final = "pictures"
ANSWERS: Final = "answers"
FEEDBACK: Final = "feedback"
REVIEWS: Final = "reviews"
MAX_RECORD_BYTES: Final = 2**20
"""Of one of these records: an answer has a thousand classes at most."""

REQUEST_ID: Final = re.compile(r"[A-Za-z0-9-]{1,64}")
_SENDERS_DIGITS: Final = 16
_IN_A_DATASET: Final = "given-"
_NAMED: Final = re.compile(rf"{_IN_A_DATASET}(?P<request>[A-Za-z0-9-]{{1,64}})(~[0-9]+)?\.[a-z]+")


class InvalidRecord(ValueError):
    """A record that is not what this project writes."""


@dataclass(frozen=True, slots=True)
class _Record:
    request_id: str
    at: str
    """ISO 8601, UTC."""

    def to_json(self) -> bytes:
        """The record's object in the bucket."""
        return json.dumps(asdict(self), ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """The record in an object.

        Raises:
            InvalidRecord: it is none.
        """
        try:
            record = cls(**json.loads(content))
            _must_be_texts(record.request_id, record.at)
            record._check()
        except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise InvalidRecord(f"{type(error).__name__}: {error}") from None
        return record

    def _check(self) -> None:
        """Raises what `from_json` makes an InvalidRecord of."""


@dataclass(frozen=True, slots=True)
class Given(_Record):
    """A picture that was given, and what the model answered."""

    sender: str
    """A hash that is the same for all pictures of one sender."""
    sha256: str
    """Of the picture."""
    size: int
    answer: Mapping[str, Any]
    """The endpoint's, with all its classes in `predictions`, up to a thousand."""

    @property
    def predicted(self) -> str:
        """The class that was answered."""
        return str(self.answer["predicted_class"])

    @property
    def confidence(self) -> float:
        return float(self.answer["confidence"])

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that the model knows, the likeliest first."""
        return tuple(str(each["class"]) for each in self.answer["predictions"])

    @property
    def model_version(self) -> str:
        """In the registry; empty where the answer does not tell."""
        return str((self.answer.get("model") or {}).get("version", ""))

    def _check(self) -> None:
        _must_be_texts(self.sender)
        if not (self.classes and self.predicted):
            raise ValueError("it has no classes")
        if not (math.isfinite(self.confidence) and isinstance(self.model_version, str)):
            raise ValueError("its answer is none")


@dataclass(frozen=True, slots=True)
class Feedback(_Record):
    """What a picture's sender said of the answer."""

    label: str | None
    """The right class; None: none of them."""

    def _check(self) -> None:
        _must_be_texts(self.label or "")


class Decided(StrEnum):
    """What the model's owner makes of a picture that was given."""

    ACCEPTED = "accepted"
    """It is learned from, as of the class `label`."""
    NONE = "none"
    """It shows none of the classes."""
    REJECTED = "rejected"
    """It is of no use."""


@dataclass(frozen=True, slots=True)
class Review(_Record):
    """What the model's owner decided of a picture that was given."""

    decided: Decided
    label: str | None = None
    """The class, of one that is accepted."""
    version: str = ""
    """The data set's version that it went into, such as `dogs@4`."""

    def _check(self) -> None:
        _must_be_texts(self.label or "", self.version)
        if (Decided(self.decided) is Decided.ACCEPTED) != (self.label is not None):
            raise ValueError("a class is of what is accepted")


def _must_be_texts(*values: object) -> None:
    if not all(isinstance(each, str) for each in values):
        raise TypeError("one of its members is no text")


def picture_of(request_id: str) -> str:
    return f"{PICTURES}/{request_id}"


def answer_of(request_id: str) -> str:
    return f"{ANSWERS}/{request_id}.json"


def feedback_of(request_id: str) -> str:
    return f"{FEEDBACK}/{request_id}.json"


def review_of(request_id: str) -> str:
    return f"{REVIEWS}/{request_id}.json"


def all_of(request_id: str) -> Iterator[str]:
    """The keys of all that is kept of one request, the picture first."""
    for key in (picture_of, answer_of, feedback_of, review_of):
        yield key(request_id)


def name_in_a_dataset(request_id: str, suffix: str) -> str:
    """What a given picture is called in a data set, so that its request stays known."""
    return f"{_IN_A_DATASET}{request_id}{suffix}"


def request_in_a_dataset(name: str) -> str:
    """The request that a data set's picture was given with; empty for any other picture."""
    found = _NAMED.fullmatch(name)
    return found["request"] if found else ""


def sender_of(api_key_id: str, word: str) -> str:
    """What a sender is known by: it tells neither the key nor the word."""
    return sha256(f"{api_key_id}\0{word}".encode()).hexdigest()[:_SENDERS_DIGITS]


def group_of(sender: str) -> str:
    """The group of a sender's pictures in a data set: they never get into two splits."""
    return f"sender-{sender}"
