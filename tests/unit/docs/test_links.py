"""Every link within this repository leads somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.links import broken
from tools.pages import Page, pages


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Page) -> None:
    assert list(broken(page)) == []


def test_a_link_to_no_file_and_to_no_heading_is_found(tmp_path: Path) -> None:
    (tmp_path / "other.md").write_text("# Title\n\n## `POST /classify`, asked\n\n```\n# no heading\n```\n")
    page = Page(tmp_path / "page.md")
    page.path.write_text(
        "[a](other.md) [b](other.md#post-classify-asked) [c](https://example.org/gone) [d](#here)\n"
        "[e](gone.md) ![f](gone.png) [g](other.md#no-heading) [h](#there) [`i`](other.md#post)\n"
        "`[j](code.md)`\n\n```\n[k](code.md)\n```\n\n# Here\n"
    )
    assert [link for link, _ in broken(page)] == [
        *("gone.md", "gone.png", "other.md#no-heading", "#there", "other.md#post")
    ]


def test_every_page_of_docs_is_reached_from_the_readme() -> None:
    reached, ahead = set(), [pages()[0]]
    while ahead:
        page = ahead.pop()
        if page.path in reached:
            continue
        reached.add(page.path)
        for link in page.links():
            path = (page.path.parent / link.partition("#")[0]).resolve()
            if path.suffix == ".md" and path.exists():
                ahead.append(Page(path))
    assert [page.name for page in pages() if page.name.startswith("docs/") and page.path not in reached] == []
