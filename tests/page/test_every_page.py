"""Every page on a phone, a tablet and a desk, light and dark: it fits the window, and axe finds nothing.

https://github.com/dequelabs/axe-core
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.page.browser import Browser, Page
from tests.page.conftest import SCREENSHOTS
from tests.page.drawn_reports import DRAWN

AXE: Final = (
    Path(__file__).resolve().parents[2] / ".local" / "cdk" / "node_modules" / "axe-core" / "axe.min.js"
)
WIDTHS: Final = (390, 768, 1280)
FINDINGS: Final = """
(async () => {
  const { violations } = await axe.run({ rules: { "target-size": { enabled: true } } });
  const why = (node) => [...node.any, ...node.all, ...node.none][0]?.message;
  const said = (rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)} (${why(node)})`);
  return violations.flatMap(said);
})()"""


@pytest.fixture(scope="module")
def axe() -> str:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make install")
    return AXE.read_text(encoding="utf-8")


def every_look(page: Page, name: str) -> Iterator[str]:
    """The page in each width and colour scheme; the light ones are photographed."""
    for dark in (False, True):
        for width in WIDTHS:
            page.look(dark=dark, phone=width == WIDTHS[0], width=width)
            look = f"{width}-{'dark' if dark else 'light'}"
            yield look
            if not dark:
                page.photograph(SCREENSHOTS / "every" / f"{name}-{look}.png")


def faults(page: Page, name: str, axe: str) -> list[str]:
    """What is wrong with an open page, in any of its looks."""
    page.js(f"{axe};0")
    found = []
    for look in every_look(page, name):
        told: list[Any] = page.js(FINDINGS)
        if page.js("document.documentElement.scrollWidth > innerWidth"):
            told.append("it runs out of the window")
        found += [f"{look}: {each}" for each in told]
    return found


@pytest.mark.parametrize("name", DRAWN)
def test_a_report_fits_every_window_and_reader(browser: Browser, tmp_path: Path, axe: str, name: str) -> None:
    file = tmp_path / f"{name}.html"
    file.write_text(DRAWN[name](tmp_path), encoding="utf-8")
    page = Page(browser)
    page.look()
    page.open(file.as_uri())
    assert faults(page, name, axe) == []
    assert page.complaints() == []
    page.close()
