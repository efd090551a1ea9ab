"""A page that needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import Markup

from reports.shared.markup import ROOT, draw


def document(title: str, sections: Iterable[Markup], *rooms: str) -> str:
    """The page as HTML; beside what all share, it has the style of each of these rooms."""
    styles = [(ROOT / room / "style.css").read_text(encoding="utf-8") for room in ("shared", *rooms)]
    return str(draw("shared/page.document", title, Markup("".join(styles)), sections))  # noqa: S704  (our own)
