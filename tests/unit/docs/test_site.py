"""The documentation's site has every page, and asks no other server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import site
from tools.pages import Page
from tools.pins import ROOT

CONFIGURATION = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))


def named(nav: Any) -> Iterator[str]:
    for each in nav if isinstance(nav, list) else nav.values():
        yield from [each] if isinstance(each, str) else named(each)


def test_every_page_is_in_the_menu_once() -> None:
    pages = sorted(path.name for path in (ROOT / "docs").glob("*.md"))
    assert sorted(named(CONFIGURATION["nav"])) == pages


def test_every_page_is_behind_a_question() -> None:
    links = {link.partition("#")[0] for link in Page(ROOT / "docs" / "index.md").links()}
    assert links == {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"}


def test_the_site_has_no_fonts_of_others() -> None:
    assert CONFIGURATION["theme"]["font"] is False
    assert CONFIGURATION["plugins"] == ["search"]


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://example.org/a.js"></script>',
        "<script defer src=//example.org/a.js></script>",
        '<link rel="stylesheet" href="https://example.org/a.css">',
        '<img alt="x" src="http://example.org/a.png">',
    ],
)
def test_a_page_that_asks_another_server_is_found(text: str, tmp_path: Path) -> None:
    asking, quiet = tmp_path / "asking.html", tmp_path / "quiet.html"
    asking.write_text(text)
    quiet.write_text('<script src="assets/a.js"></script><a href="https://example.org">a link</a>')
    assert site.asks_elsewhere([asking, quiet]) == [asking]
