"""The review page in a browser: one keypress a picture, and what was accepted becomes a version."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cli.corrections.server import ReviewServer
from contract import given
from tests.page.browser import Browser, Page
from tests.page.conftest import SCREENSHOTS
from tests.unit.cli.conftest import folder, target  # noqa: F401 - fixtures
from tests.unit.cli.corrections.conftest import Deployed, deployed  # noqa: F401 - fixtures

KEYS = {key: (key, ord(key.upper()), key) for key in "amcnxu"} | {
    "left": ("ArrowLeft", 37),
    "right": ("ArrowRight", 39),
}
ENTER = ("Enter", 13, "\r")


@pytest.fixture
def review(browser: Browser, deployed: Deployed) -> Iterator[Page]:  # noqa: F811
    """The page with four pictures, in this order."""
    deployed.give("corrected", "ant", 0.9, said="bee")
    deployed.give("unsure", "ant", 0.4)
    deployed.give("confirmed", "cat", 0.6, said="cat")
    deployed.give("sure", "bee", 0.8)
    server = ReviewServer(deployed.desk())
    server.start()
    opened = Page(browser)
    opened.look()
    opened.open(server.url)
    shows(opened, "corrected")
    yield opened
    assert opened.complaints() == []
    opened.close()
    server.close()


def shows(page: Page, request_id: str) -> None:
    page.until(f"document.getElementById('place').innerText.endsWith('· {request_id}')")
    page.until("document.getElementById('image').naturalWidth > 0")


def decided(page: Page) -> str:
    return page.text("#decided")


def test_one_key_decides_and_the_next_picture_comes(review: Page, deployed: Deployed) -> None:  # noqa: F811
    assert review.text("#predicted") == "ant (90.0 %)"
    assert review.text("#said") == "bee"
    review.photograph(SCREENSHOTS / "review.png")
    for key, request_id in (("a", "unsure"), ("m", "confirmed"), ("n", "sure"), ("x", "sure")):
        review.press(*KEYS[key])
        if key != "x":
            shows(review, request_id)
    review.until("document.getElementById('decided').innerText === 'rejected'")
    room = deployed.desk().room
    found = {entry.id: entry.review for entry in room.look().entries}
    assert {each: (review.decided, review.label) for each, review in found.items() if review} == {
        "corrected": (given.Decided.ACCEPTED, "bee"),
        "unsure": (given.Decided.ACCEPTED, "ant"),
        "confirmed": (given.Decided.NONE, None),
        "sure": (given.Decided.REJECTED, None),
    }
    counts = review.text("#counts")
    assert "4 given" in counts
    assert "1 called right by their senders, 1 wrong" in counts
    assert "4 reviewed: with the model 1, against it 2; with the sender 1, against 1" in counts
    review.js("document.getElementById('version').click()")
    review.until("document.getElementById('done').innerText.startsWith('pets@2: 2 added')")
    assert deployed.newest().number == 2


def test_another_class_is_chosen_by_its_name_and_can_be_undone(review: Page) -> None:
    review.press(*KEYS["c"])
    review.until("document.activeElement.id === 'label'")
    review.type("cat")
    review.press(*ENTER)
    shows(review, "unsure")
    review.press(*KEYS["left"])
    shows(review, "corrected")
    assert decided(review) == "accepted · cat"
    review.press(*KEYS["u"])
    review.until("document.getElementById('decided').innerText === 'not yet'")


def test_a_class_that_the_data_set_has_not_is_told(review: Page) -> None:
    review.press(*KEYS["c"])
    review.until("document.activeElement.id === 'label'")
    review.type("dog")
    review.press(*ENTER)
    review.until("document.getElementById('alert').innerText.includes('has no class')")
    assert decided(review) == "not yet"


def test_what_its_sender_did_not_say_cannot_be_agreed_with(review: Page) -> None:
    review.press(*KEYS["right"])
    shows(review, "unsure")
    assert review.js("document.querySelector('[data-answer=sender]').disabled")
    review.press(*KEYS["a"])
    assert decided(review) == "not yet"
    assert review.text("#said") == "said nothing"
