"""A request's head as it came over the wire: nothing is folded, guessed or normalised."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    """Method, paths, query and header lines."""

    method: str
    path: str
    """Percent-decoded, as the services route by it."""
    raw_path: str
    """As it was sent, and signed."""
    query_string: str
    lines: tuple[tuple[str, str], ...]
    """Every header line: its name in lower case, its value."""

    @classmethod
    def of(cls, scope: Any) -> Request:
        """The request of an ASGI scope."""
        raw_path = scope.get("raw_path") or scope["path"].encode()
        return cls(
            scope["method"],
            scope["path"],
            raw_path.decode("latin-1"),
            scope.get("query_string", b"").decode("latin-1"),
            tuple((name.decode("latin-1").lower(), _text(value)) for name, value in scope["headers"]),
        )

    @cached_property
    def headers(self) -> dict[str, str]:
        """Values by name; those of a repeated name joined by a comma, as they are signed."""
        found: dict[str, str] = {}
        for name, value in self.lines:
            found[name] = f"{found[name]},{value}" if name in found else value
        return found

    @cached_property
    def query(self) -> tuple[tuple[str, str], ...]:
        """Decoded pairs, in their order."""
        return tuple(parse_qsl(self.query_string, keep_blank_values=True)) if self.query_string else ()


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
