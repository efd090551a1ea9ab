"""Answers of the API, good and bad, in plain words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.api import Prediction, classify, read_answer, say_refusal
from cli.commands.classify import bar, prediction
from cli.errors import RequestFailed

GOOD = {
    "predicted_class": "bee",
    "class_index": 1,
    "confidence": 0.93,
    "predictions": [{"class": "bee", "class_index": 1, "confidence": 0.93}],
}


def test_a_good_answer_passes() -> None:
    assert read_answer(json.dumps(GOOD).encode()) == GOOD


@pytest.mark.parametrize("key", ["predicted_class", "confidence", "predictions"])
def test_an_answer_that_lacks_something_is_refused(key: str) -> None:
    lacking = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(RequestFailed, match="nobody here understands"):
        read_answer(json.dumps(lacking).encode())


@given(
    st.one_of(
        st.binary(max_size=50),
        st.recursive(st.none() | st.text(), st.lists).map(lambda x: json.dumps(x).encode()),
    )
)
def test_no_answer_is_a_traceback(body: bytes) -> None:
    with pytest.raises(RequestFailed):
        read_answer(body)


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (
            400,
            {"error": {"code": "TruncatedImage", "message": "The file ends early."}},
            "ends early. (400 Trunc",
        ),
        (403, {"message": "Forbidden"}, "API key is missing or not valid"),
        (429, {"message": "Too Many Requests"}, "too many requests"),
        (503, {"error": {"code": "NoModelYet", "message": "Train first."}}, "Train first. (503 NoModelYet)"),
        (418, "what", "the API answered 418"),
    ],
)
def test_a_refusal_is_said_in_words(status: int, body: Any, words: str) -> None:
    assert words in say_refusal(status, json.dumps(body).encode())


@given(st.integers(400, 599), st.binary(max_size=50))
def test_any_refusal_names_its_status(status: int, body: bytes) -> None:
    assert str(status) in say_refusal(status, body)


@pytest.mark.parametrize(
    ("marks", "words"),
    [
        ({}, ""),
        ({"certain": None, "unlike_training": None}, ""),
        ({"certain": True, "unlike_training": False}, "certain"),
        ({"certain": False, "unlike_training": None}, "not certain"),
        ({"certain": False, "unlike_training": True}, "perhaps none of these"),
    ],
)
def test_what_an_answer_says_of_itself_is_said_in_words(marks: dict[str, Any], words: str) -> None:
    from rich.console import Console

    console = Console(width=160)
    with console.capture() as captured:
        console.print(prediction(Prediction(Path("x.jpg"), GOOD | marks)))
    head = captured.get().splitlines()[0]
    assert head.strip().endswith(words or "93.0%")
    assert ("certain" in head) == ("certain" in words)


OUTPUTS = {"api_url": "http://127.0.0.1:1/", "api_key": "k"}


def test_a_missing_picture_is_named(target: Any, tmp_path: Path) -> None:
    with pytest.raises(RequestFailed, match=r"none\.jpg: No such file"):
        classify(target(), OUTPUTS, tmp_path / "none.jpg")


def test_an_api_that_is_not_there_is_said(target: Any, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(RequestFailed, match=r"did not answer.*make up"):
        classify(target(), OUTPUTS, tmp_path / "a.jpg")


@pytest.mark.parametrize("signed", [False, True])
def test_a_request_is_signed_where_the_api_asks_for_it(
    target: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signed: bool
) -> None:
    sent: list[dict[str, str]] = []

    def opened(_: Any, request: Any, data: Any, timeout: float) -> Any:
        sent.append({name.lower(): value for name, value in request.header_items()})
        raise OSError("enough")

    monkeypatch.setattr("urllib.request.OpenerDirector.open", opened)
    (tmp_path / "a.jpg").write_bytes(b"x")
    with pytest.raises(RequestFailed):
        classify(target(), OUTPUTS | {"api_signed": signed}, tmp_path / "a.jpg")
    (headers,) = sent
    assert (headers["x-api-key"], headers["content-type"]) == ("k", "image/jpeg")
    assert headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential=LOCALAWSKEY/") == signed


@given(st.floats(allow_nan=False))
def test_a_bar_always_fits(fraction: float) -> None:
    assert len(bar(fraction)) <= 30
