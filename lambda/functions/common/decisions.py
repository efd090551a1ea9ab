"""What a decision says of itself: a code that programs read, and a reason that people read.

One JSON object is the description of a version of the champion parameter, and the approval description of a
package that one of these functions decided over; a person's own words there are plain text. Both may hold
1,024 characters: a long reason is shortened, never the structure. cli/decisions.py reads the same forms, and
tests/unit/test_decisions_agree.py holds the two to each other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

MAX_LENGTH = 1024
"""Of an SSM parameter's description and of a model package's approval description.
Sources: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html and
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateModelPackage.html
"""
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


class Code(StrEnum):
    """Why something was decided."""

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
    WAITS = "waits"
    """An approved model could not be brought up for something that is not its fault; `Waiting` says what."""
    RETRIED = "retried"
    """A model that waited is tried again, by itself or because a person asked."""
    BY_HAND = "by-hand"
    """A person's own put-parameter, or words that none of these functions wrote."""


@dataclass(frozen=True)
class Reason:
    """A code, and the words for people."""

    code: Code
    why: str = ""


@dataclass(frozen=True)
class Waiting:
    """An approved model that waits to be tried again."""

    package: str
    cause: str
    """What stands in its way: a `Cause` of promote-model."""
    tries: int
    """How often it was tried."""


@dataclass(frozen=True)
class Stated:
    """What the description of a parameter's version says. `serves` is empty in the form before JSON."""

    time: str
    serves: str
    asleep: str
    since: str
    reason: Reason
    waiting: Waiting | None = None
    tried: tuple[str, ...] = ()
    """The instance types that AWS had none of, for this very decision."""


def of_champion(text: str) -> Stated | None:
    """What a version's description states, or None when a person wrote it."""
    document = texts_of(text)
    if document is None:
        return _of_old_champion(text)
    time, since = document.get("time", ""), document.get("since", "")
    if not re.fullmatch(_TIME, time) or not re.fullmatch(_TIME, since or time):
        return None
    return Stated(
        time,
        document.get("serves", ""),
        document.get("asleep", ""),
        since or time,
        _said(document),
        _waiting(document),
        tuple(document.get("tried", "").split()),
    )


def champion_text(stated: Stated) -> str:
    """The description that `of_champion` reads."""
    document = {"time": stated.time, "code": stated.reason.code.value, "serves": stated.serves}
    document |= {"asleep": stated.asleep} if stated.asleep else {}
    document |= {"since": stated.since} if stated.since != stated.time else {}
    if stated.waiting is not None:
        waits = stated.waiting
        document |= {"waits": waits.package, "for": waits.cause, "tries": str(waits.tries)}
    document |= {"tried": " ".join(stated.tried)} if stated.tried else {}
    return _fitted(document, stated.reason.why)


def package_text(reason: Reason) -> str:
    """The approval description of a package that a function decided over."""
    return _fitted({"code": reason.code.value}, reason.why)


def _waiting(document: Mapping[str, str]) -> Waiting | None:
    package, tries = document.get("waits", ""), document.get("tries", "")
    if not package:
        return None
    return Waiting(package, document.get("for", ""), int(tries) if re.fullmatch(r"[0-9]{1,6}", tries) else 0)


def _said(document: Mapping[str, str]) -> Reason:
    code = document.get("code", "")
    return Reason(Code(code) if code in set(Code) else Code.BY_HAND, document.get("why", ""))


def texts_of(text: str) -> dict[str, str] | None:
    """The JSON object of texts in a description, or None when it is something else."""
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    texts = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    return found if texts else None


def _fitted(document: Mapping[str, str], why: str) -> str:
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


# The form before JSON: `<time>[ asleep <arn>][ since <time>] <reason>`, still in the history of systems that
# were installed then. The sentences are those that were written; nobody writes them any more.
_OLD = re.compile(
    rf"(?P<time>{_TIME})(?: asleep (?P<asleep>arn:\S+))?(?: since (?P<since>{_TIME}))?(?P<why>.*)", re.DOTALL
)
_OLD_REASONS = (
    ("went back: the update failed: ", Code.FAILED_UPDATE),
    ("went back: it did not wake: ", Code.DID_NOT_WAKE),
    ("went back: it could not be removed: ", Code.NOT_REMOVED),
    ("went back: ", Code.NOT_APPROVED),
    ("rolled back: ", Code.ROLLED_BACK),
    ("the champion was rejected", Code.REJECTED),
)


def _of_old_champion(text: str) -> Stated | None:
    found = _OLD.match(text)
    if found is None:
        return None
    asleep, why = found["asleep"] or "", found["why"].strip()
    reason = Reason(_old_code(why, bool(asleep)), why.removeprefix("went back: "))
    return Stated(found["time"], "", asleep, found["since"] or found["time"], reason)


def _old_code(why: str, asleep: bool) -> Code:
    for begins, code in _OLD_REASONS:
        if why.startswith(begins):
            return code
    if asleep:  # the rest is what somebody gave as the reason
        return Code.ASKED_TO_SLEEP
    if why == "approved":
        return Code.APPROVED
    return Code.WOKEN if why.startswith("woken: ") else Code.BY_HAND
