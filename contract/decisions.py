"""Decisions over models: what should serve, since when and why.

Two places of AWS hold them, each with 1,024 characters of description. A version of the champion parameter is
a `Decision`; the approval description of a package that one of the functions decided over is a `Reason`. Both
are JSON on one line, written and read here only. A person's own words there are plain text, and systems that
were installed before hold older forms; the end of this file reads those.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from contract.names import NO_CHAMPION, version_of
from contract.waiting import Cause, Waiting

MAX_LENGTH = 1024
"""Of an SSM parameter's description and of a model package's approval description.
Sources: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html and
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateModelPackage.html
"""
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


class Outcome(StrEnum):
    """What was decided."""

    APPROVED = "approved"
    ASKED_TO_SLEEP = "asked-to-sleep"
    IDLE = "idle"
    SCHEDULED = "scheduled"
    """It sleeps because it is the hour of the setting `sleep_at`."""
    WOKEN = "woken"
    ROLLED_BACK = "rolled-back"
    """A person returned to the version before. On a package: it is the one that was left."""
    REJECTED = "rejected"
    """The champion was rejected while it served."""
    FAILED_UPDATE = "went-back:failed-update"
    """The Serving stack rolled a promotion back. On a package: it is the one that did not come up."""
    NOT_APPROVED = "went-back:not-approved"
    DID_NOT_WAKE = "went-back:did-not-wake"
    NOT_REMOVED = "went-back:not-removed"
    """The endpoint of a champion that was to sleep could not be removed."""
    GATE = "below-the-gate"
    """On a package only: the quality gate refused it."""
    LEAKED = "leaked-test-pictures"
    """On a package only: the quality gate refused it, for its test pictures are training pictures."""
    OTHER_CLASSES = "other-classes"
    """On a package only: it passed the quality gate and waits for a person, for its classes are not the
    champion's, or not known to be.
    """
    PASSED = "passed"
    """On a package only: it passed the quality gate."""
    WAITS = "waits"
    """An approved model could not be brought up for something that is not its fault; `Waiting` says what."""
    RETRIED = "retried"
    """A model that waited is tried again, by itself or because a person asked."""
    SHADOWED = "shadowed"
    """It answered a copy of the traffic beside the champion, well enough to take its place."""
    NOT_TRUSTED = "not-trusted"
    """It answered a copy of the traffic, or was to, and a person decides now."""
    SERVES_ON = "serves-on"
    """On a package only: it was rejected when it was to be left, but what was to come did not, so it serves
    and is Approved again.
    """
    BY_HAND = "by-hand"
    """A person's own put-parameter, or words that none of the functions wrote."""


WENT_BACK = (Outcome.FAILED_UPDATE, Outcome.NOT_APPROVED, Outcome.DID_NOT_WAKE, Outcome.NOT_REMOVED)
"""A decision before could not be carried out, and was taken back."""


@dataclass(frozen=True)
class Reason:
    """Why something was decided."""

    outcome: Outcome
    why: str = ""
    """AWS's words, a person's or the quality gate's: for people only."""
    back_to: str = ""
    """On a package: what serves in its place, another package or `none`."""

    @property
    def in_words(self) -> str:
        """The reason as it is shown."""
        if not self.back_to:
            return self.why
        how = "taken" if self.outcome is Outcome.ROLLED_BACK else "rolled"
        where = "no model" if self.back_to == NO_CHAMPION else f"version {version_of(self.back_to)}"
        return f"{how} back to {where}: {self.why}"

    def text(self) -> str:
        """The approval description that `of_package` reads."""
        document = {"code": self.outcome.value}
        document |= {"back_to": self.back_to} if self.back_to else {}
        return fitted(document, self.why)

    @classmethod
    def of_package(cls, text: str) -> Reason:
        """What a package's approval description says."""
        document = texts_of(text)
        if document is None or "code" not in document:
            return _of_old_package(text)
        return cls._of(document)

    @classmethod
    def _of(cls, document: Mapping[str, str]) -> Reason:
        code = document.get("code", "")
        outcome = Outcome(code) if code in set(Outcome) else Outcome.BY_HAND
        return cls(outcome, document.get("why", ""), document.get("back_to", ""))


BY_HAND = Reason(Outcome.BY_HAND)


@dataclass(frozen=True)
class Decision:
    """One version of the champion parameter."""

    version: int
    package: str
    """The model package's ARN, or `none`: the parameter's value."""
    time: str
    """When its cause happened, ISO 8601 in UTC; such texts sort as times."""
    asleep: str = ""
    """The package that sleeps and is woken by the next request; empty when none does."""
    since: str = ""
    """When this model was chosen."""
    reason: Reason = BY_HAND
    waiting: Waiting | None = None
    """An approved model that is to take this one's place, or the one here, with how often it was tried."""
    tried: tuple[str, ...] = ()
    """The instance types that AWS had none of, for this decision."""
    written: str = ""
    """When this version was written, in the form of `time`."""

    @property
    def waits(self) -> Waiting | None:
        """The approved model that waits to take this one's place."""
        return self.waiting if self.waiting is not None and self.waiting.package != self.package else None

    @property
    def model(self) -> str:
        """The champion, whether it serves or sleeps; `none` when there is none."""
        return self.asleep or self.package

    def text(self) -> str:
        """The description that `of_version` reads."""
        document = {"time": self.time, "code": self.reason.outcome.value, "serves": self.package}
        document |= {"asleep": self.asleep} if self.asleep else {}
        document |= {"since": self.since} if self.since != self.time else {}
        if self.waiting is not None:
            waits = self.waiting
            document |= {"waits": waits.package, "for": waits.cause.value, "tries": str(waits.tries)}
        document |= {"tried": " ".join(self.tried)} if self.tried else {}
        return fitted(document, self.reason.why)

    @classmethod
    def of_version(cls, entry: Mapping[str, Any]) -> Decision:
        """The decision in one entry of GetParameterHistory's answer.

        A person's own put-parameter states no time, or keeps the description of the version before, which is
        of another package: then it counts from when it was written.
        """
        version, package, text = int(entry["Version"]), str(entry["Value"]), entry.get("Description", "")
        written = time_of(entry["LastModifiedDate"])
        by_hand = cls(version, package, written, since=written, written=written)
        document = texts_of(text)
        if document is None:
            return _of_old_version(text, by_hand)
        time, since = document.get("time", ""), document.get("since", "")
        if not re.fullmatch(TIME, time) or not re.fullmatch(TIME, since or time):
            return by_hand
        if document.get("serves", package) != package:
            return by_hand
        return cls(
            version,
            package,
            time,
            document.get("asleep", "") if package == NO_CHAMPION else "",
            since or time,
            Reason._of(document),
            _waiting(document),
            tuple(document.get("tried", "").split()),
            written,
        )


def in_order(decisions: Iterable[Decision]) -> list[Decision]:
    """The one that counts last: by their causes' times, and of one time the later written."""
    return sorted(decisions, key=lambda each: (each.time, each.version))


def time_of(moment: datetime) -> str:
    """A moment in the form of `Decision.time`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def own_words(why: str) -> str:
    """A person's reason as an approval description can hold it: on one line, and not too long."""
    return " ".join(why.split()).encode("utf-8", "replace")[:MAX_LENGTH].decode("utf-8", "ignore")


def texts_of(text: str) -> dict[str, str] | None:
    """The JSON object of texts in a description, or None when it is something else."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    texts = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    return found if texts else None


def _waiting(document: Mapping[str, str]) -> Waiting | None:
    package, cause, tries = (document.get(key, "") for key in ("waits", "for", "tries"))
    if not package or cause not in set(Cause):
        return None
    return Waiting(package, Cause(cause), int(tries) if re.fullmatch(r"[0-9]{1,6}", tries) else 0)


def fitted(document: Mapping[str, str], why: str) -> str:
    """The object with as much of the reason as the description has room for.

    On one line, as an approval description has to be. Counted in bytes, which are never fewer than what AWS
    may mean by a character.
    """
    why = " ".join(why.encode("utf-8", "replace").decode().split())
    short = why[:MAX_LENGTH]
    if short != why:
        short += "…"
    while len((text := _json({**document, "why": short})).encode()) > MAX_LENGTH and short:
        short = f"{short[:-2]}…" if len(short) > 1 else ""
    return text


def _json(document: Mapping[str, str]) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


# What was written before there was JSON; nobody writes it any more. Of a version of the parameter:
# `<time>[ asleep <arn>][ since <time>] <reason>`. Of a package: `rolled back to <arn>: …`, `taken back to …`.
_OLD_VERSION = re.compile(
    rf"(?P<time>{TIME})(?: asleep (?P<asleep>arn:\S+))?(?: since (?P<since>{TIME}))?(?P<why>.*)", re.DOTALL
)
_OLD_PACKAGE = re.compile(r"(?P<how>rolled|taken) back to (?P<back_to>none|arn:\S+): (?P<why>.*)", re.DOTALL)
_OLD_REASONS = (
    ("went back: the update failed: ", Outcome.FAILED_UPDATE),
    ("went back: it did not wake: ", Outcome.DID_NOT_WAKE),
    ("went back: it could not be removed: ", Outcome.NOT_REMOVED),
    ("went back: ", Outcome.NOT_APPROVED),
    ("rolled back: ", Outcome.ROLLED_BACK),
    ("the champion was rejected", Outcome.REJECTED),
)


def _of_old_version(text: str, by_hand: Decision) -> Decision:
    found = _OLD_VERSION.match(text)
    if found is None:
        return by_hand
    sleeper, why = found["asleep"] or "", found["why"].strip()
    # It does not say of which package it is, and only `none` sleeps.
    return Decision(
        by_hand.version,
        by_hand.package,
        found["time"],
        sleeper if by_hand.package == NO_CHAMPION else "",
        found["since"] or found["time"],
        Reason(_old_outcome(why, bool(sleeper)), why.removeprefix("went back: ")),
        written=by_hand.written,
    )


def _old_outcome(why: str, asleep: bool) -> Outcome:
    for begins, outcome in _OLD_REASONS:
        if why.startswith(begins):
            return outcome
    if asleep:  # the rest is what somebody gave as the reason
        return Outcome.ASKED_TO_SLEEP
    if why == "approved":
        return Outcome.APPROVED
    return Outcome.WOKEN if why.startswith("woken: ") else Outcome.BY_HAND


def _of_old_package(text: str) -> Reason:
    found = _OLD_PACKAGE.match(text)
    if found is None:
        return Reason(Outcome.BY_HAND, text)
    outcome = Outcome.ROLLED_BACK if found["how"] == "taken" else Outcome.FAILED_UPDATE
    return Reason(outcome, found["why"], found["back_to"])
