"""What the API, the endpoint behind it and API Gateway itself answer and take alike."""

from __future__ import annotations

from typing import Final

RAW_BYTES: Final = ("application/x-image", "application/octet-stream")
"""Content types of a picture whose sender does not say its format: the bytes tell."""

SWITCH: Final = ("true", "false")
"""The values of a query parameter that is asked for or not."""


TOP_K: Final = 5
"""How many classes an answer names that was not asked for another number."""
MOST_TOP_K: Final = 1000


def error_of(code: str, message: str) -> dict[str, dict[str, str]]:
    """The member of an answer that says why there is no other: a code for programs, a message for people."""
    return {"error": {"code": code, "message": message}}
