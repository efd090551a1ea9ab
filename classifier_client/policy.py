"""What follows from a reply: an answer, an error, or another try after a while. Nothing here does IO."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from classifier_client.errors import HOPELESS, SLEEPING, ApiError, NotAnswered, Refused

_AGAIN: Final = (429, 502, 503, 504)
_FIRST: Final = 0.5
_LONGEST: Final = 20.0
"""Seconds between two tries where the service names none."""


@dataclass(frozen=True)
class Patience:
    """How long a client waits.

    Attributes:
        busy: seconds for a service that has too much to do, or cannot be reached.
        asleep: seconds for a model that is being brought up.
    """

    busy: float = 60.0
    asleep: float = 900.0


@dataclass
class Tries:
    """One request, asked until it is answered or patience is over."""

    patience: Patience
    since: float = field(default_factory=lambda: time.monotonic())
    busy: float = 0.0
    asleep: float = 0.0
    """Seconds that went on each: a model that woke may be busy for as long as any."""
    count: int = 0
    why: ApiError | None = None
    """What came last in place of an answer."""

    def after_reply(self, status: int, headers: Mapping[str, str], body: bytes) -> float:
        """Seconds to wait before the next try, for a reply that is no answer.

        Raises:
            Refused, NotAnswered: there is to be none.
        """
        code, message, request_id = read_error(status, body)
        if status not in _AGAIN or code in HOPELESS:
            kind = Refused if status < 500 else NotAnswered
            raise kind(status, code, message, request_id)
        return self._wait(_seconds(headers), NotAnswered(status, code, message, request_id))

    def after_silence(self, why: str) -> float:
        """The same where nothing came back."""
        return self._wait(None, NotAnswered(0, "", f"the API did not answer: {why}"))

    def _wait(self, asked: float | None, why: ApiError) -> float:
        self.count, self.why = self.count + 1, why
        own = min(_LONGEST, _FIRST * 2 ** (self.count - 1)) * random.uniform(0.75, 1.25)  # noqa: S311
        seconds = own if asked is None else asked
        kind = "asleep" if why.code in SLEEPING else "busy"
        now = time.monotonic()
        spent = getattr(self, kind) + now - self.since + seconds
        if spent > getattr(self.patience, kind):
            raise why
        setattr(self, kind, spent)
        self.since = now + seconds
        return seconds


def read_error(status: int, body: bytes) -> tuple[str, str, str]:
    """Code, message and request id of an error's JSON; API Gateway has some without."""
    try:
        answer: Any = json.loads(body)
        error = answer["error"]
        return str(error["code"]), str(error["message"]), str(answer.get("request_id", ""))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return "", f"the API answered {status}: {body[:200].decode(errors='replace')}", ""


def _seconds(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None
