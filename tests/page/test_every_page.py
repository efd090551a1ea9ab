"""Every page on a phone, a tablet and a desk, light and dark: it fits the window, and axe finds nothing.

https://github.com/dequelabs/axe-core
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from PIL import Image

from tests.page.browser import Browser, Page
from tests.page.conftest import SCREENSHOTS, Api, prediction, refusal
from tests.page.drawn_reports import DRAWN
from tests.page.test_giving import kept
from tests.page.test_many import done
from tests.page.test_page import answered, complained, written
from tests.page.test_review_page import review  # noqa: F401 - a fixture
from tests.unit.cli.conftest import folder, target  # noqa: F401 - fixtures
from tests.unit.cli.corrections.conftest import deployed  # noqa: F401 - fixtures

Bring = Callable[[Page, Api, Path], None]

AXE: Final = (
    Path(__file__).resolve().parents[2] / ".local" / "cdk" / "node_modules" / "axe-core" / "axe.min.js"
)
WIDTHS: Final = (390, 768, 1280)
MOST_SCALE: Final = 1.32
"""Of a drawing that fills its column: its text grows with it. One that says its own width keeps it."""
FINDINGS: Final = """
(async () => {
  const { violations } = await axe.run({ rules: { "target-size": { enabled: true } } });
  const why = (node) => [...node.any, ...node.all, ...node.none][0]?.message;
  const said = (rule) => rule.nodes.map((node) => `${rule.id}: ${node.html.slice(0, 200)} (${why(node)})`);
  return violations.flatMap(said);
})()"""
BLOWN_UP: Final = f"""[...document.querySelectorAll("svg.chart")].filter((each) =>
  each.getBoundingClientRect().width / each.viewBox.baseVal.width >
    (each.style.getPropertyValue("--width") ? 1.001 : {MOST_SCALE})).map((each) => each.ariaLabel)"""


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
        told += [f"a drawing is blown up: {title}" for title in page.js(BLOWN_UP)]
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


def one_answered(page: Page, api: Api, home: Path) -> None:
    api.answers = [(200, prediction() | {"certain": False, "unlike_training": True})]
    page.choose("#file", written(home / "dog.jpg"))
    answered(page)
    page.js("document.getElementById('classes').open = true")


def many_answered(page: Page, api: Api, home: Path) -> None:
    api.answers = [
        (400, refusal("TruncatedImage", "It is cut short.")),
        (200, prediction() | {"certain": True}),
    ]
    names = (
        "one.jpg",
        "a-name-that-a-camera-gave-and-nobody-has-ever-changed-20261121-000001.jpg",
        "two.jpg",
    )
    page.choose("#file", *(written(home / name) for name in names))
    done(page, "2 of 3 answered, 1 could not be.")


def complaining(page: Page, api: Api, home: Path) -> None:
    api.answers = [(503, refusal("Overloaded", "The model is busy."))]
    page.choose("#file", written(home / "dog.jpg"))
    complained(page)


def unseen(page: Page, api: Api, home: Path) -> None:
    path = home / "scan.tif"
    Image.open(written(home / "dog.jpg")).save(path, "TIFF")
    page.choose("#file", path)
    answered(page)


def asked_back(page: Page, api: Api, home: Path) -> None:
    api.answers = [(200, kept())]
    page.js("document.getElementById('give').click()")
    page.choose("#file", written(home / "dog.jpg"))
    page.until("document.querySelector('.right') !== null")
    page.js("document.querySelectorAll('.right button')[1].click()")


def untouched(page: Page, api: Api, home: Path) -> None:
    page.until("document.getElementById('model').dataset.state === 'up'")


@pytest.mark.parametrize(
    "bring",
    [untouched, one_answered, many_answered, complaining, unseen, asked_back],
    ids=lambda each: each.__name__,
)
def test_the_drop_page_fits_every_window_and_reader(
    page: Page, api: Api, tmp_path: Path, axe: str, bring: Bring
) -> None:
    if bring is asked_back:
        api.given_days = 30
        page.open(api.url)
        page.until("!document.getElementById('give-card').hidden")
    page.js("document.getElementById('key').dispatchEvent(new Event('change'))")
    bring(page, api, tmp_path)
    assert faults(page, f"drop-{bring.__name__}", axe) == []


def test_the_corrections_page_fits_every_window_and_reader(review: Page, axe: str) -> None:  # noqa: F811
    assert faults(review, "corrections", axe) == []
