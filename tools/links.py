"""Looks whether every link within this repository leads somewhere: part of `make lint`; asks no server."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from tools.pages import Page, pages


def main() -> int:
    wrong = [f"{page.name}: {link} {why}" for page in pages() for link, why in broken(page)]
    print("\n".join(wrong) or "links: all lead somewhere", file=sys.stderr if wrong else sys.stdout)
    return int(bool(wrong))


def broken(page: Page) -> Iterator[tuple[str, str]]:
    """The links of a page that lead nowhere, each with the reason."""
    for link in page.links():
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        path = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
        if not path.exists():
            yield link, "is no file of this repository"
        elif path.suffix == ".md" and parts.fragment not in Page(path).anchors():
            yield link, f"names no heading of {path.name}"


if __name__ == "__main__":
    sys.exit(main())
