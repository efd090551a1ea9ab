"""What a browser makes of a page: what of it is markup and could do harm, and what is only text."""

from __future__ import annotations

import re
from html.parser import HTMLParser

# Numbers and the page's own words; nothing that opens an address or a function.
HARMLESS = re.compile(
    r"[\w ./:-]*|--(share|width|strength):-?[\d.]+(%|px)|width:-?[\d.]+%|data:image/jpeg;base64,[\w+/=]+"
    r"|[-\d.,MvhzZ e+]*|width=device-width, initial-scale=1"
)


class Skeleton(HTMLParser):
    """What a browser makes of a page beside its text.

    Attributes:
        shapes: each element with the names of its attributes.
        values: what stands in the attributes that are more than text: class, style, src and the like.
        text: all text.
    """

    def __init__(self, page: str) -> None:
        super().__init__()
        self.shapes: set[tuple[str, tuple[str, ...]]] = set()
        self.values: set[tuple[str, str]] = set()
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shapes.add((tag, tuple(sorted(name for name, _ in attrs))))
        self.values |= {
            (name, value or "") for name, value in attrs if name not in ("title", "alt", "aria-label")
        }

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.shapes.add(("comment", ()))

    @property
    def harmful(self) -> set[tuple[str, str]]:
        """The values that are more than numbers and words."""
        return {
            (name, value)
            for name, value in self.values
            if not HARMLESS.fullmatch(value) or "script:" in value or name.startswith("on")
        }
