"""Giving a picture on the page, and saying what is on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contract.given import GIVE, SENDER
from tests.page.browser import Browser, Page
from tests.page.conftest import NAMES, SCREENSHOTS, Api, opened_page, prediction, refusal
from tests.page.test_page import ENTER, SPACE, TAB, answered, photo

CLASSES = [*NAMES, "Beagle", "None of these"]  # a class may be called so, and is not the answer of that name


def kept(request_id: str = "request-1") -> dict[str, Any]:
    return prediction() | {"request_id": request_id, "kept": {"days": 30, "classes": CLASSES}}


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "dog.jpg"
    path.write_bytes(photo())
    return path


@pytest.fixture
def giving(browser: Browser, api: Api) -> Iterator[Page]:
    """The page of a deployment that keeps what is given."""
    api.given_days = 30
    for opened in opened_page(browser, api):
        opened.js("localStorage.clear()")
        yield opened


def given(api: Api) -> list[bool]:
    """Of each picture that was sent, whether it was given."""
    pictures = zip(api.asked, api.received, strict=True)
    return [headers.get(GIVE) == "true" for path, (headers, _) in pictures if path != "/live/feedback"]


def said(api: Api) -> list[Any]:
    answers = zip(api.asked, api.received, strict=True)
    return [json.loads(body) for path, (_, body) in answers if path == "/live/feedback"]


def thanked(page: Page, words: str) -> None:
    page.until(f"document.querySelector('.right p').innerText === {words!r}")


def give_when_answered(page: Page, picture: Path) -> None:
    """Choose a picture, see the answer, and give it then."""
    page.choose("#file", picture)
    page.until(
        "!document.getElementById('give').checked && !document.getElementById('answer').hidden"
        " && document.querySelectorAll('#answer li').length === 5"
    )
    tick(page)
    page.until("document.querySelector('.right') !== null")


def tick(page: Page) -> None:
    page.js("document.getElementById('give').click()")


def press(page: Page, number: int) -> None:
    page.js(f"document.querySelectorAll('.right button')[{number}].click()")


YES, NO, SEND = 0, 1, 2


def test_without_the_setting_nobody_is_asked_and_nothing_is_given(
    page: Page, api: Api, picture: Path
) -> None:
    assert not page.shown("#give")
    assert "not kept." in page.text(".drop p")
    page.js("document.getElementById('give').checked = true")
    page.choose("#file", picture)
    answered(page)
    assert given(api) == [False]
    assert SENDER not in api.received[0][0]
    assert not page.shown(".right")


def test_the_page_says_what_is_kept_and_for_how_long(giving: Page) -> None:
    assert "not kept unless you give one." in giving.text(".drop p")
    hint = giving.text("#give-hint")
    assert "30 days" in hint
    assert "learn from it" in hint
    giving.photograph(SCREENSHOTS / "desk-light-give.png")


def test_without_the_tick_nothing_is_given_and_nothing_asked(giving: Page, api: Api, picture: Path) -> None:
    giving.choose("#file", picture)
    answered(giving)
    assert given(api) == [False]
    assert SENDER not in api.received[0][0]
    assert giving.js("localStorage.length") == 0
    assert not giving.shown(".right")


def test_the_tick_gives_one_picture_and_the_next_wants_its_own(giving: Page, api: Api, picture: Path) -> None:
    api.answers = [(200, kept()), (200, prediction())]
    tick(giving)
    giving.choose("#file", picture)
    answered(giving)
    assert giving.js("document.getElementById('give').disabled")
    giving.choose("#file", picture)
    giving.until("!document.querySelector('.right')")
    answered(giving)
    assert given(api) == [True, False]
    assert not giving.js("document.getElementById('give').checked")


def test_a_picture_can_be_given_when_its_answer_is_there(giving: Page, api: Api, picture: Path) -> None:
    api.answers = [(200, prediction()), (200, kept())]
    giving.choose("#file", picture)
    answered(giving)
    tick(giving)
    giving.until("document.querySelector('.right') !== null")
    assert given(api) == [False, True]
    assert api.received[0][1] == api.received[1][1]


def test_one_picture_after_the_other_can_be_given(giving: Page, api: Api, picture: Path) -> None:
    for number in range(3):
        api.answers = [(200, prediction()), (200, kept(f"request-{number}"))]
        give_when_answered(giving, picture)
        press(giving, YES)
        thanked(giving, f"Thank you: {NAMES[0]}.")
    assert given(api) == [False, True] * 3
    assert [each["request_id"] for each in said(api)] == ["request-0", "request-1", "request-2"]


def test_asking_why_gives_nothing(giving: Page, api: Api, picture: Path) -> None:
    api.answers = [(200, kept())]
    tick(giving)
    giving.choose("#file", picture)
    answered(giving)
    giving.js("document.querySelector('.why button').click()")
    giving.until("document.querySelector('.why p').innerText.includes('cannot tell')")
    assert given(api) == [True, False]


def test_pictures_of_one_browser_come_from_one_sender(giving: Page, api: Api, picture: Path) -> None:
    api.answers = [(200, kept())]
    for _ in range(2):
        tick(giving)
        giving.choose("#file", picture)
        giving.until("document.querySelector('.right') !== null")
        giving.open(api.url)
        giving.js(
            "(() => { const key = document.getElementById('key'); key.value = 'k';"
            " key.dispatchEvent(new Event('input')); })()"
        )
    senders = {headers[SENDER] for headers, _ in api.received}
    assert len(senders) == 1
    assert len(senders.pop()) == 32


def test_right_is_one_press(giving: Page, api: Api, picture: Path) -> None:
    api.answers = [(200, kept())]
    tick(giving)
    giving.choose("#file", picture)
    answered(giving)
    press(giving, YES)
    thanked(giving, f"Thank you: {NAMES[0]}.")
    assert said(api) == [{"request_id": "request-1", "class": NAMES[0]}]
    assert "as request-1." in giving.text(".right small"), "by this it can be deleted"


def test_wrong_offers_the_classes_and_none_of_these_and_the_last_word_counts(
    giving: Page, api: Api, picture: Path
) -> None:
    api.answers = [(200, kept())]
    tick(giving)
    giving.choose("#file", picture)
    answered(giving)
    press(giving, NO)
    offered = giving.js("[...document.querySelectorAll('.right option')].map((each) => each.text)")
    assert offered == ["What is it?", "None of these", *sorted(set(CLASSES) - {NAMES[0]})]
    giving.photograph(SCREENSHOTS / "desk-light-right.png")
    press(giving, SEND)
    thanked(giving, "Choose what it is first.")
    giving.js("document.querySelector('.right select').value = 'none'")
    press(giving, SEND)
    thanked(giving, "Thank you: none of these.")
    giving.js("document.querySelector('.right select').value = 'class Beagle'")
    press(giving, SEND)
    thanked(giving, "Thank you: Beagle.")
    giving.js("document.querySelector('.right select').value = 'class None of these'")
    press(giving, SEND)
    thanked(giving, "Thank you: None of these.")
    assert [each["class"] for each in said(api)] == [None, "Beagle", "None of these"]


def test_it_can_be_said_by_keyboard(giving: Page, api: Api, picture: Path) -> None:
    api.answers = [(200, kept())]
    giving.js("document.getElementById('give').focus()")
    giving.press(*SPACE)
    giving.choose("#file", picture)
    answered(giving)
    giving.js("document.querySelector('.why button').focus()")
    giving.press(*TAB)
    assert giving.js("document.activeElement.textContent") == "Yes"
    giving.press(*ENTER)
    thanked(giving, f"Thank you: {NAMES[0]}.")
    roles = giving.accessible()
    assert ("heading", "Is that right?") in roles
    assert ("checkbox", "I give this picture so that the model gets better") in roles


def test_what_could_not_be_kept_or_said_is_told(giving: Page, api: Api, picture: Path) -> None:
    api.answers = [(200, prediction() | {"request_id": "request-1", "kept": None}), (200, kept())]
    tick(giving)
    giving.choose("#file", picture)
    giving.until("document.getElementById('answer').innerText.includes('could not be kept')")
    assert not giving.js("document.getElementById('give').disabled")
    giving.choose("#file", picture)
    giving.until("document.querySelector('.right') !== null")
    api.feedback = (404, refusal("UnknownRequest", "Its time is over."))
    press(giving, YES)
    thanked(giving, "Its time is over.")
