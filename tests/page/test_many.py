"""Many pictures at once: each with its answer, and all of them as a table."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from PIL import Image

from tests.page.browser import Page, wait_for
from tests.page.conftest import NAMES, SCREENSHOTS, Api, prediction, refusal
from tests.page.test_giving import given, giving  # noqa: F401 - a fixture
from tests.page.test_page import ENTER, answered, complained, photo


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """Two photos, a TIFF, a text, and a name that a spreadsheet would take for a formula."""
    paths = [tmp_path / name for name in ("one.jpg", "two.jpg", "scan.tif", "letter.txt", "=1+1.jpg")]
    for path in paths:
        path.write_bytes(photo((240, 160)))
    Image.open(paths[0]).save(paths[2], "TIFF")
    paths[3].write_text("Dear Sir")
    return paths


def rows(page: Page) -> list[list[str]]:
    lines = "[...document.querySelectorAll('#rows tr')]"
    found: list[list[str]] = page.js(f"{lines}.map(({{cells}}) => [...cells].map((cell) => cell.innerText))")
    return found


def done(page: Page, words: str) -> None:
    page.until(f"document.getElementById('progress').innerText === {words!r}")


def table(page: Page) -> list[list[str]]:
    """What is saved by the button."""
    page.js(
        "URL.createObjectURL = (blob) => { blob.text().then((text) => { window.saved = text; }); };"
        "HTMLAnchorElement.prototype.click = function () { window.named = this.download; };"
        "document.getElementById('table').click()"
    )
    text = page.until("window.saved")
    assert page.js("window.named") == "answers.csv"
    return list(csv.reader(io.StringIO(text)))


def test_each_picture_gets_its_answer_and_all_are_one_table(
    page: Page, api: Api, pictures: list[Path]
) -> None:
    certain = prediction() | {"certain": True, "unlike_training": False}
    api.answers = [
        (200, certain),
        (200, prediction()),
        (400, refusal("TruncatedImage", "It is cut, short.")),
        (200, prediction()),
    ]
    page.choose("#file", *pictures)
    done(page, "3 of 5 answered, 2 could not be.")
    assert len(api.received) == 4, "what is no picture is not sent"
    shown = rows(page)
    assert [name for name, _ in shown] == [path.name for path in pictures]
    assert sum(said.startswith(NAMES[0]) for _, said in shown) == 3
    assert [said for _, said in shown if "ertain" in said] == [f"{NAMES[0]}\nCertain, 87.3\xa0%"]
    assert "not be read as a picture" in shown[3][1]
    page.photograph(SCREENSHOTS / "desk-light-many.png")
    head, *lines = table(page)
    assert head == [
        "file",
        "predicted_class",
        "confidence",
        "certain",
        "unlike_training",
        "model_version",
        "error",
    ]
    assert [line[0] for line in lines] == ["one.jpg", "two.jpg", "scan.tif", "letter.txt", "'=1+1.jpg"]
    assert sorted(line[1:6] for line in lines)[2:] == [
        [NAMES[0], "0.8731", "", "", "3"],
        [NAMES[0], "0.8731", "", "", "3"],
        [NAMES[0], "0.8731", "true", "false", "3"],
    ]
    assert "It is cut, short." in [line[6] for line in lines]


def test_a_row_opens_its_picture_without_asking_again(page: Page, api: Api, pictures: list[Path]) -> None:
    page.choose("#file", *pictures[:2])
    done(page, "2 of 2 answered.")
    page.js("document.querySelectorAll('.pick')[1].click()")
    answered(page)
    page.until("document.getElementById('image').alt === 'Your picture, two.jpg'")
    assert len(api.received) == 2


def test_a_key_that_is_refused_stops_the_row_and_enter_goes_on(
    page: Page, api: Api, pictures: list[Path]
) -> None:
    api.answers = [(403, refusal("Forbidden", "no"))]
    page.choose("#file", *pictures[:3])
    assert "API key was not accepted" in complained(page)
    assert len(api.received) <= 2, "the others would fare no better"
    api.answers = [(200, prediction())]
    page.press(*ENTER)
    done(page, "3 of 3 answered.")
    assert not page.shown("#alert")


def test_pictures_wait_for_a_model_that_wakes_and_for_one_that_is_busy(
    page: Page, api: Api, pictures: list[Path]
) -> None:
    busy = (503, refusal("Overloaded", "busy"))
    api.answers = [
        (503, refusal("Asleep", "s")),
        busy,
        (503, refusal("EndpointStarting", "s")),
        (200, prediction()),
    ]
    page.choose("#file", *pictures[:2])
    assert "The model is waking up" in complained(page)
    done(page, "2 of 2 answered.")
    assert not page.shown("#alert")
    assert len(api.received) == 5


def test_a_row_that_is_stopped_asks_for_the_rest_when_it_is_told_to(
    page: Page, api: Api, pictures: list[Path]
) -> None:
    api.answers = [(503, refusal("Asleep", "s"))]
    page.choose("#file", *pictures[:3])
    complained(page)
    page.js("document.getElementById('stop').click()")
    done(page, "0 of 3 answered.")
    asked = len(api.received)
    api.answers = [(200, prediction())]
    page.js("document.getElementById('rest').click()")
    done(page, "3 of 3 answered.")
    assert len(api.received) == asked + 3


def test_of_many_none_is_given(giving: Page, api: Api, pictures: list[Path]) -> None:  # noqa: F811
    giving.js("document.getElementById('give').click()")
    giving.choose("#file", *pictures[:2])
    done(giving, "2 of 2 answered.")
    assert given(api) == [False, False]
    assert not giving.js("document.getElementById('give').checked")


def test_a_folder_is_let_fall_as_its_pictures(page: Page, api: Api, tmp_path: Path) -> None:
    """By the browser's own drag and drop, which alone can carry a folder."""
    inner = tmp_path / "folder" / "inner"
    inner.mkdir(parents=True)
    for name in ("folder/a.jpg", "folder/inner/b.jpg", "folder/.hidden.jpg"):
        (tmp_path / name).write_bytes(photo())
    data = {"items": [], "files": [str(tmp_path / "folder")], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        page.call("Input.dispatchDragEvent", type=kind, x=300, y=300, data=data)
    wait_for(lambda: len(api.received) == 2, "both are asked")
    done(page, "2 of 2 answered.")
    assert [name for name, _ in rows(page)] == ["a.jpg", "b.jpg"]
