"""What a check says: one line."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    """Which check a line is of."""

    CREDENTIALS = "credentials"
    PARTITION = "partition"
    BOOTSTRAP = "bootstrap"
    PERMISSIONS = "permissions"
    NAMES = "names"
    BUILDS = "builds"
    LOG_ROLE = "api-log-role"
    ENDPOINT_QUOTA = "endpoint-quota"
    TRAINING_QUOTA = "training-quota"
    COST = "cost"


class Status(StrEnum):
    """What came out."""

    OK = "ok"
    WRONG = "wrong"
    """It would fail."""
    LATER = "later"
    """Nothing fails now; what the line names would."""
    UNKNOWN = "unknown"
    """It could not be looked at, for want of a permission or an answer."""


@dataclass(frozen=True)
class Line:
    """One finding."""

    code: Code
    status: Status
    looked_at: str
    """What was looked at, and what was found."""
    wrong: str = ""
    """What is wrong with it, or why it is not known."""
    mend: str = ""
    """The command or the console page that mends it."""
