"""What a decision says of itself, as promote-model and register-model write it (lambda/common/decisions.py).

Either form is read: one JSON object, or the words of systems that were installed before there was one.
tests/unit/test_decisions_agree.py holds this reader to the writer.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

BY_HAND = "by-hand"
ROLLED_BACK = "rolled-back"
FAILED_UPDATE = "went-back:failed-update"
MAX_LENGTH = 1024
"""Of a model package's approval description."""

_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
_OLD_CHAMPION = re.compile(
    rf"(?P<time>{_TIME})(?: asleep (?P<asleep>arn:\S+))?(?: since {_TIME})? ?"
    r"(?P<back>went back: )?(?P<why>.*)",
    re.DOTALL,
)
_OLD_PACKAGE = {
    FAILED_UPDATE: re.compile(r"rolled back to (?:none|arn:\S+): "),
    ROLLED_BACK: re.compile(r"taken back to arn:\S+: "),
}


@dataclass(frozen=True)
class Stated:
    """What the description of a version of the champion parameter says; `code` is one of the writer's `Code`,
    or empty in words where only the model, the time and whether it went back are of use.
    """

    time: str = ""
    asleep: str = ""
    code: str = BY_HAND
    why: str = ""
    waits: str = ""
    """The package that waits to take this one's place."""
    waits_for: str = ""
    """What it waits for: promote-model's `Cause`."""
    tries: int = 0
    """How often it was tried."""

    @property
    def went_back(self) -> bool:
        return self.code.partition(":")[0] == "went-back"


def of_champion(text: str, value: str) -> Stated:
    """What a version with this value states; nothing when a person wrote it."""
    document = _document(text)
    if document is not None:
        if document.get("serves", value) != value or not re.fullmatch(_TIME, document.get("time", "")):
            return Stated()
        return Stated(
            document["time"],
            document.get("asleep", ""),
            document.get("code", BY_HAND),
            document.get("why", ""),
            *_waits(document, value),
        )
    old = _OLD_CHAMPION.match(text)
    if old is None:
        return Stated()
    asleep = (old["asleep"] or "") if value == "none" else ""
    return Stated(old["time"], asleep, "went-back:" if old["back"] else "", old["why"])


def of_package(text: str) -> tuple[str, str]:
    """The code and the words of a package's approval description; a person's own words are `by-hand`."""
    document = _document(text)
    if document is not None and "code" in document:
        return document["code"], document.get("why", "")
    return next((code for code, form in _OLD_PACKAGE.items() if form.match(text)), BY_HAND), text


def _waits(document: dict[str, str], value: str) -> tuple[str, str, int]:
    package, tries = document.get("waits", ""), document.get("tries", "")
    if not package or package == value:  # that one is being tried
        return "", "", 0
    return package, document.get("for", ""), int(tries) if re.fullmatch(r"[0-9]{1,6}", tries) else 0


def in_words(why: str) -> str:
    """A person's reason as an approval description can hold it: on one line, and not too long."""
    return " ".join(why.split()).encode("utf-8", "replace")[:MAX_LENGTH].decode("utf-8", "ignore")


def _document(text: str) -> dict[str, str] | None:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return None
    texts = isinstance(found, dict) and all(isinstance(value, str) for value in found.values())
    return found if texts else None
