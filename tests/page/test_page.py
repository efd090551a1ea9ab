"""The page as people use it: by mouse, by keyboard, by paste, on a phone, and when something is wrong."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.page.browser import Page, wait_for
from tests.page.conftest import MAX_BYTES, MODEL, NAMES, SCREENSHOTS, Api, prediction, refusal

ORIENTATION = 0x0112
TAB, ENTER, SPACE = ("Tab", 9), ("Enter", 13, "\r"), (" ", 32, " ")


def photo(size: tuple[int, int] = (480, 320), orientation: int = 1, quality: int = 85) -> bytes:
    """A landscape: blue above, green below, a red mark in the upper left corner."""
    width, height = size
    picture = Image.new("RGB", size, (120, 170, 230))
    picture.paste((70, 140, 70), (0, height * 2 // 3, width, height))
    picture.paste((220, 40, 40), (0, 0, width // 6, height // 6))
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=quality, exif=exif)
    return out.getvalue()


def written(path: Path) -> Path:
    """A photo in a file."""
    path.write_bytes(photo((240, 160)))
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "dog.jpg"
    path.write_bytes(photo())
    return path


def answered(page: Page) -> None:
    page.until("document.querySelectorAll('#answer li').length === 5")


def complained(page: Page) -> str:
    page.until("!document.getElementById('alert').hidden")
    return page.text("#alert")


def give(page: Page, event: str, body: bytes, name: str = "x.jpg", kind: str = "image/jpeg") -> None:
    """Drop or paste a file, as the browser would tell the page of it."""
    transfer = {
        "drop": "new DragEvent('drop', {dataTransfer: data, bubbles: true, cancelable: true})",
        "paste": "new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})",
    }[event]
    page.js(
        "(() => { const data = new DataTransfer();"
        f" const bytes = Uint8Array.from(atob('{base64.b64encode(body).decode()}'), (c) => c.charCodeAt(0));"
        f" data.items.add(new File([bytes], '{name}', {{type: '{kind}'}}));"
        f" document.querySelector('main').dispatchEvent({transfer}); }})()"
    )


@pytest.mark.parametrize(("dark", "phone"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_chosen_picture_gets_its_five_classes_with_bars(
    page: Page, api: Api, picture: Path, dark: bool, phone: bool
) -> None:
    page.look(dark=dark, phone=phone)
    shots = SCREENSHOTS / f"{'phone' if phone else 'desk'}-{'dark' if dark else 'light'}"
    page.until("document.getElementById('model').dataset.state === 'up'")
    page.photograph(shots.with_name(f"{shots.name}-empty.png"))
    page.choose("#camera" if phone else "#file", picture)
    answered(page)
    assert page.text("#answer h2") == NAMES[0]
    shown = page.js("[...document.querySelectorAll('#answer li')].map((li) => li.innerText)")
    assert [text.split("\n")[0] for text in shown] == list(NAMES)
    page.until("parseFloat(document.querySelector('.bar').style.width) > 80")
    widths = page.js("[...document.querySelectorAll('.bar')].map((bar) => parseFloat(bar.style.width))")
    assert widths == sorted(widths, reverse=True)
    ((headers, body),) = api.received
    assert (headers["x-api-key"], headers["content-type"]) == ("the-key", "image/jpeg")
    assert body == picture.read_bytes(), "a picture that is small enough is sent as it is"
    page.photograph(shots.with_name(f"{shots.name}-answer.png"))
    assert page.js("document.documentElement.scrollWidth <= innerWidth"), "nothing runs out of the window"


@pytest.mark.parametrize(
    ("marks", "says"),
    [
        ({}, "Confidence 93.0"),
        ({"certain": None, "unlike_training": None}, "Confidence 93.0"),
        ({"certain": True, "unlike_training": False}, "Certain, 93.0"),
        ({"certain": False, "unlike_training": False}, "Not certain, 93.0"),
        ({"certain": False, "unlike_training": True}, "Perhaps none of these, 93.0"),
        # Certain is what the model promises: no number of the page's own says it better.
        ({"certain": True, "confidence": 0.42}, "Certain, 42.0"),
        ({"certain": False, "confidence": 0.98}, "Not certain, 98.0"),
        ({"confidence": 0.31}, "Confidence 31.0"),
    ],
)
def test_what_the_model_says_of_its_own_answer_is_said_in_words(
    page: Page, api: Api, picture: Path, marks: dict[str, Any], says: str
) -> None:
    answer = prediction() | marks
    answer["predictions"][0]["confidence"] = marks.get("confidence", 0.93)
    api.answers = [(200, answer)]
    page.choose("#file", picture)
    answered(page)
    assert page.text("#answer h2 + p").startswith(says)
    told = page.js("document.querySelector('.unlike')?.innerText || ''")
    assert ("it may show none of its classes" in told) == (marks.get("unlike_training") is True)
    if told:
        page.photograph(SCREENSHOTS / "desk-light-unlike.png")


def explained(rows: list[list[float]], box: list[float]) -> dict[str, Any]:
    return prediction() | {"explanation": {"class": NAMES[0], "class_index": 0, "map": rows, "box": box}}


def test_why_draws_where_the_class_was_seen_and_takes_it_away_again(
    page: Page, api: Api, picture: Path
) -> None:
    corner = [[0.0] * 7 for _ in range(7)]
    corner[0][0] = corner[0][1] = corner[1][0] = corner[1][1] = 1.0
    api.answers = [(200, prediction()), (200, explained(corner, [0.1667, 0.0, 0.8333, 1.0]))]
    page.choose("#file", picture)
    answered(page)
    assert api.asked == ["/live/classify"], "nothing is explained before it is asked for"
    assert page.js("document.getElementById('map').hidden")
    page.js("document.querySelector('.why button').click()")
    page.until("!document.getElementById('map').hidden")
    assert api.asked[1:] == ["/live/classify?explain=true"]
    assert api.received[0][1] == api.received[1][1] == picture.read_bytes()
    assert f"spoke for {NAMES[0]}: most in the upper left part" in page.text(".why p")
    boxes = page.js(
        "['image', 'map'].map((id) => document.getElementById(id).getBoundingClientRect().toJSON())"
    )
    for side in ("left", "top", "width", "height"):
        assert abs(boxes[0][side] - boxes[1][side]) < 1.5, "the map lies on the picture"
    shades = page.js(
        "(() => { const map = document.getElementById('map'), pen = map.getContext('2d');"
        " return [[0.24, 0.12], [0.8, 0.9], [0.05, 0.5]].map(([x, y]) =>"
        " [...pen.getImageData(Math.round(x * map.width), Math.round(y * map.height), 1, 1).data]); })()"
    )
    assert shades[0][0] > 150 > shades[0][2], "yellow where it was seen"
    assert max(shades[1][:3]) < 60, "dark where it was not"
    assert max(shades[2][:3]) < 60, "and outside what the model saw"
    page.photograph(SCREENSHOTS / "desk-light-why.png")
    page.js("document.querySelector('.why button').click()")
    assert page.js("document.getElementById('map').hidden")
    page.js("document.querySelector('.why button').click()")
    assert not page.js("document.getElementById('map').hidden")
    assert len(api.asked) == 2, "it is asked once"
    page.choose("#file", picture)
    page.until("document.getElementById('map').hidden")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"explanation": None, "explanation_missing": "head_not_pooled"}, "A network of this kind"),
        ({"explanation": None, "explanation_missing": "one_place"}, "a picture is one place"),
        ({}, "This model cannot tell"),  # a container from before there was this
    ],
)
def test_a_model_that_cannot_say_why_says_so(
    page: Page, api: Api, picture: Path, given: dict[str, Any], says: str
) -> None:
    api.answers = [(200, prediction() | given)]
    page.choose("#file", picture)
    answered(page)
    page.js("document.querySelector('.why button').click()")
    page.until(f"document.querySelector('.why p').innerText.includes({says!r})")
    assert page.js("document.getElementById('map').hidden")


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_a_picture_can_be_dropped_and_pasted(page: Page, api: Api, way: str) -> None:
    body = photo()
    give(page, way, body)
    answered(page)
    assert api.received[0][1] == body


def test_a_phone_offers_its_camera_and_a_desk_does_not(page: Page) -> None:
    assert not page.shown("#camera-choice")
    page.look(phone=True)
    page.until("document.querySelector('#camera-choice').checkVisibility()")
    assert page.js("document.getElementById('camera').getAttribute('capture')") == "environment"


def test_a_photo_taken_upright_is_shown_upright(page: Page, tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    path.write_bytes(photo(orientation=6))
    page.choose("#file", path)
    answered(page)
    size = page.js("[image.naturalWidth, image.naturalHeight]")
    assert size == [320, 480], "the picture lies in the file and stands on the page"
    page.photograph(SCREENSHOTS / "desk-light-upright.png")


def test_a_picture_that_is_too_large_is_made_smaller_and_upright_before_it_is_sent(
    page: Page, api: Api, tmp_path: Path
) -> None:
    noise = Image.effect_noise((3000, 2000), 80).convert("RGB")
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    path = tmp_path / "large.jpg"
    noise.save(path, "JPEG", quality=95, exif=exif)
    assert path.stat().st_size > MAX_BYTES
    page.choose("#file", path)
    answered(page)
    ((headers, body),) = api.received
    assert headers["content-type"] == "image/jpeg"
    assert len(body) <= MAX_BYTES
    sent = Image.open(io.BytesIO(body))
    assert sent.height > sent.width
    assert sent.getexif().get(ORIENTATION, 1) == 1


def test_the_limit_is_told_before_anything_is_sent(page: Page) -> None:
    assert "0.3 MB" in page.text(".drop")


@pytest.mark.parametrize(
    ("status", "code", "message", "words"),
    [
        (400, "UnsupportedImage", "This is no picture: it begins like HTML.", "begins like HTML"),
        (413, "PayloadTooLarge", "The picture has 9.0 MB; at most 4.5 MB are taken.", "at most 4.5 MB"),
        (429, "TooManyRequests", "Too many requests.", "Too many requests just now"),
        (429, "QuotaExceeded", "The key's quota is used up.", "used up its quota"),
        (503, "NoModelYet", "No model is serving yet. Upload pictures.", "Upload pictures"),
        (503, "EndpointStarting", "The model is being brought up.", "being brought up"),
        (503, "Asleep", "The model was asleep and is being woken.", "some minutes to wake"),
        (504, "ModelTimeout", "The model did not answer in time.", "did not answer in time"),
        (500, "InternalError", "Something is wrong on our side.", "wrong on our side"),
    ],
)
def test_an_error_is_said_in_plain_words_with_the_request_to_name(
    page: Page, api: Api, picture: Path, status: int, code: str, message: str, words: str
) -> None:
    api.answers = [(status, refusal(code, message))]
    page.choose("#file", picture)
    said = complained(page)
    assert words in said
    assert "request-1" in said
    assert code not in said, "codes are for programs"
    assert not page.shown("#answer")


def test_a_wrong_key_takes_the_reader_to_the_key_and_enter_asks_again(
    page: Page, api: Api, picture: Path
) -> None:
    api.answers = [(403, refusal("Forbidden", "no")), (200, {})]
    page.choose("#file", picture)
    assert "API key was not accepted" in complained(page)
    page.photograph(SCREENSHOTS / "desk-light-wrong-key.png")
    assert page.js("document.activeElement.id") == "key"
    api.answers = [(200, prediction())]
    page.press(*ENTER)
    answered(page)
    assert not page.shown("#alert")


def test_a_file_that_is_no_picture_is_not_sent(page: Page, api: Api, tmp_path: Path) -> None:
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir")
    page.choose("#file", path)
    assert "not a picture" in complained(page)
    assert not api.received


def test_what_is_worth_repeating_has_a_button_that_repeats_it(page: Page, api: Api, picture: Path) -> None:
    api.answers = [(503, refusal("Overloaded", "The model is busy.")), (200, prediction())]
    page.choose("#file", picture)
    complained(page)
    page.js("document.querySelector('#alert button').click()")
    answered(page)
    assert len(api.received) == 2


def test_a_model_that_wakes_is_asked_again_and_all_that_is_said_of_it_is_one_thing(
    page: Page, api: Api, picture: Path
) -> None:
    """A sleeper that wakes is starting for most of the time; then the page knows its data set again."""
    api.model = (503, refusal("Asleep", "It sleeps."))
    page.open(api.url)
    page.until("document.getElementById('model').innerText.startsWith('The model is asleep')")
    api.answers = [
        (503, refusal("Asleep", "s")),
        (503, refusal("EndpointStarting", "s")),
        (200, prediction()),
    ]
    page.choose("#file", picture)
    said = set()
    for asked in (1, 2):
        wait_for(lambda: len(api.received) >= asked, "asked again by itself")  # noqa: B023 - at once
        said.add(complained(page))
        assert page.text("#model") == "The model is waking up"
    assert len(said) == 1
    assert "The model is waking up" in said.pop()
    api.model = (200, MODEL)
    answered(page)
    page.until("document.getElementById('model').innerText.includes('trained on dogs · 93.1')")
    assert not page.shown("#alert")


def test_a_model_that_starts_is_asked_again_too(page: Page, api: Api, picture: Path) -> None:
    api.answers = [(503, refusal("EndpointStarting", "Being brought up."))] * 2 + [(200, prediction())]
    page.choose("#file", picture)
    for asked in (1, 2):
        wait_for(lambda: len(api.received) >= asked, "asked again by itself")  # noqa: B023 - at once
        assert "The model is starting" in complained(page), "nobody was asleep"
    answered(page)


def test_the_classes_are_told_to_whoever_has_the_key(page: Page, api: Api) -> None:
    assert not page.shown("#classes")
    page.press(*TAB)
    page.until("!document.getElementById('classes').hidden")
    assert page.text("#classes summary") == f"It knows {len(NAMES)} classes"
    page.js("document.getElementById('classes').open = true")
    assert page.text("#classes ul").split("\n") == list(NAMES)


@pytest.mark.parametrize("form", ["TIFF", "BMP", "GIF"])
def test_what_the_api_takes_is_sent_as_it_is(page: Page, api: Api, tmp_path: Path, form: str) -> None:
    path = tmp_path / f"scan.{form.lower()}"
    Image.open(io.BytesIO(photo((64, 48)))).save(path, form)
    page.choose("#file", path)
    answered(page)
    ((headers, body),) = api.received
    assert (headers["content-type"], body) == (f"image/{form.lower()}", path.read_bytes())
    assert page.shown("#unseen") == (form == "TIFF"), "this browser shows no TIFF"
    assert page.shown(".why") == (form != "TIFF")
    if form == "TIFF":
        assert "does not show TIFF" in page.text("#unseen")
        page.photograph(SCREENSHOTS / "desk-light-tiff.png")
        page.choose("#file", written(tmp_path / "dog.jpg"))
        page.until(
            "document.getElementById('unseen').hidden && document.getElementById('image').naturalWidth > 0"
        )


def test_a_tiff_that_is_too_large_says_what_to_do(page: Page, api: Api, tmp_path: Path) -> None:
    path = tmp_path / "scan.tif"
    Image.effect_noise((800, 600), 80).save(path, "TIFF")
    page.choose("#file", path)
    assert "Save it as a JPEG" in complained(page)
    assert not api.received


def drag(page: Page, **kinds: str) -> None:
    """Let something fall that is no file, as a link or a picture of another tab is."""
    page.js(
        "(() => { const data = new DataTransfer();"
        f" for (const [kind, text] of Object.entries({json.dumps(kinds)}))"
        " data.setData(kind === 'html' ? 'text/html' : 'text/uri-list', text);"
        " window.kept = !document.querySelector('main').dispatchEvent(new DragEvent('drop',"
        " {dataTransfer: data, bubbles: true, cancelable: true})); })()"
    )
    assert page.js("window.kept"), "the browser would leave the page for it"


def test_a_picture_of_another_tab_is_taken_where_the_browser_gives_it(page: Page, api: Api) -> None:
    body = photo()
    address = f"data:image/jpeg;base64,{base64.b64encode(body).decode()}"
    drag(page, html=f'<meta charset="utf-8"><img src="{address}" alt="dog">')
    answered(page)
    assert api.received[0][1] == body


@pytest.mark.parametrize(
    ("kinds", "says"),
    [
        ({"html": '<img src="https://example.org/dog.jpg">'}, "Copy image"),
        ({"uri": "https://example.org/dog.jpg"}, "Copy image"),
        ({"html": "<b>a word</b>"}, "holds no picture"),
    ],
)
def test_a_picture_that_stayed_on_another_page_says_how_to_bring_it(
    page: Page, api: Api, kinds: dict[str, str], says: str
) -> None:
    drag(page, **kinds)
    assert says in complained(page)
    assert not api.received


def test_everything_can_be_done_with_the_keyboard(page: Page) -> None:
    page.call("Page.setInterceptFileChooserDialog", enabled=True)
    page.js("document.body.tabIndex = -1; document.body.focus()")
    reached = []
    for _ in range(4):
        page.press(*TAB)
        reached.append(page.js("document.activeElement.id"))
    assert reached[0] == "file"
    assert {"key", "show"} <= set(reached)
    page.js("document.getElementById('file').focus()")
    page.press(*SPACE)
    wait_for(lambda: page.events("Page.fileChooserOpened"), "the file dialogue opens")
    outlined = "getComputedStyle(document.querySelector('#file-label')).outlineStyle"
    assert page.js(outlined) == "solid", "the focus is seen"


def test_a_screen_reader_is_told_everything(page: Page, api: Api, picture: Path) -> None:
    before = page.accessible()
    assert ("heading", "What is in the picture?") in before
    assert ("textbox", "API key") in before
    assert any(role == "button" and "Choose pictures" in name for role, name in before)
    page.choose("#file", picture)
    answered(page)
    told = page.accessible()
    assert ("image", "Your picture, dog.jpg") in told
    assert ("heading", NAMES[0]) in told
    assert any(role == "list" and name == "Most likely classes" for role, name in told)
    assert page.js("document.getElementById('answer').getAttribute('aria-live')") == "polite"
    assert page.js("document.getElementById('alert').getAttribute('role')") == "alert"
    unnamed = [role for role, name in told if role in ("button", "textbox", "image") and not name]
    assert unnamed == []


@pytest.mark.parametrize("dark", [False, True])
def test_all_text_stands_out_from_its_ground(page: Page, picture: Path, dark: bool) -> None:
    """WCAG 2.2 AA: a contrast of 4.5 to 1."""
    page.look(dark=dark)
    page.choose("#file", picture)
    answered(page)
    texts: list[dict[str, Any]] = page.js(
        """[...document.querySelectorAll('h1, h2, p, li span, label, small, button, .badge')]
        .filter((e) => e.checkVisibility() && e.innerText.trim()).map((e) => {
          let ground = e;
          const clear = (each) => /, 0\\)$/.test(getComputedStyle(each).backgroundColor);
          while (ground && clear(ground)) ground = ground.parentElement;
          const of = (colour) => colour.match(/[\\d.]+/g).slice(0, 3).map(Number);
          return {text: e.innerText.slice(0, 30), ink: of(getComputedStyle(e).color),
                  ground: of(getComputedStyle(ground || document.body).backgroundColor)};
        })"""
    )
    assert len(texts) > 10
    faint = [each["text"] for each in texts if _contrast(each["ink"], each["ground"]) < 4.5]
    assert faint == []


def _contrast(one: list[float], other: list[float]) -> float:
    def luminance(colour: list[float]) -> float:
        linear = [
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
