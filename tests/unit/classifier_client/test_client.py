"""The Python client: what it sends, what it makes of each reply, and how long it waits."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

import classifier_client
from classifier_client import Answer, AsyncClient, Client, NotAnswered, NotAPicture, Refused, policy
from classifier_client import client as module
from classifier_client.policy import Patience

SAID = {
    "predicted_class": "Beagle",
    "class_index": 12,
    "confidence": 0.93,
    "certain": True,
    "unlike_training": False,
    "predictions": [{"class": "Beagle", "class_index": 12, "confidence": 0.93}],
    "model": {"name": "demo", "version": "3"},
}
Reply = Callable[[httpx.Request], httpx.Response]


def refusal(status: int, code: str, **headers: str) -> httpx.Response:
    body = {"error": {"code": code, "message": f"{code} happened"}, "request_id": "r-1"}
    return httpx.Response(
        status, json=body, headers={key.replace("_", "-"): value for key, value in headers.items()}
    )


class Api:
    """Answers with the given replies in turn, the last one for ever, and keeps what was asked."""

    def __init__(self, *replies: httpx.Response | Exception) -> None:
        self.replies, self.asked = list(replies), []  # type: ignore[var-annotated]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were slept; the clock goes on by them."""
    slept: list[float] = []

    async def doze(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(module, "time", SimpleNamespace(sleep=slept.append))
    monkeypatch.setattr(module.asyncio, "sleep", doze)
    monkeypatch.setattr(policy, "time", SimpleNamespace(monotonic=lambda: sum(slept)))
    return slept


def client(api: Reply, **more: Any) -> Client:
    made = Client("https://api.example/live/", "the-key", **more)
    made._http = httpx.Client(transport=httpx.MockTransport(api))
    return made


def ask(
    api: Reply, picture: Any = b"bytes", how: str = "sync", patience: Patience | None = None, **more: Any
) -> Any:
    """The answer of either client."""
    if how == "sync":
        return client(api, patience=patience).classify(picture, **more)

    async def run() -> Any:
        made = AsyncClient("https://api.example/live/", "the-key", patience=patience)
        made._http = httpx.AsyncClient(transport=httpx.MockTransport(api))
        async with made:
            return await made.classify(picture, **more)

    return asyncio.run(run())


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_picture_is_sent_as_it_is_and_the_answer_has_types(how: str) -> None:
    api = Api(httpx.Response(200, json=SAID))
    answer = ask(api, b"the bytes", how, top_k=3, explain=True, give=True)
    assert isinstance(answer, Answer)
    assert (answer.predicted_class, answer.confidence, answer.certain, answer.model) == (
        "Beagle",
        0.93,
        True,
        "3",
    )
    assert answer.predictions[0].label == "Beagle"
    (request,) = api.asked
    assert str(request.url) == "https://api.example/live/classify?top_k=3&explain=true"
    assert request.content == b"the bytes"
    assert request.headers["x-api-key"] == "the-key"
    assert request.headers["x-give-picture"] == "true"


def test_nothing_is_given_that_was_not_said_to_be() -> None:
    api = Api(httpx.Response(200, json=SAID))
    ask(api)
    assert "x-give-picture" not in api.asked[0].headers


def test_an_explanation_is_read() -> None:
    told = {"class": "Beagle", "class_index": 12, "box": [0.1, 0.0, 0.9, 1.0], "map": [[0.0, 1.0]]}
    answer = ask(Api(httpx.Response(200, json={**SAID, "explanation": told})))
    assert answer.explanation.map == ((0.0, 1.0),)
    none = ask(
        Api(httpx.Response(200, json={**SAID, "explanation": None, "explanation_missing": "one_place"}))
    )
    assert (none.explanation, none.explanation_missing) == (None, "one_place")


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_list_is_answered_in_its_order(how: str, tmp_path: Path) -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={**SAID, "predicted_class": request.content.decode()})

    answers = ask(echo, [str(number).encode() for number in range(20)], how)
    assert [each.predicted_class for each in answers] == [str(number) for number in range(20)]


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_sleeping_model_is_waited_for_as_long_as_the_service_says(how: str, waited: list[float]) -> None:
    api = Api(
        refusal(503, "Asleep", retry_after="30"),
        refusal(503, "EndpointStarting", retry_after="30"),
        httpx.Response(200, json=SAID),
    )
    assert ask(api, how=how).predicted_class == "Beagle"
    assert waited == [30.0, 30.0]


def test_a_busy_service_is_asked_again_after_growing_pauses(waited: list[float]) -> None:
    api = Api(*(refusal(429, "TooManyRequests") for _ in range(3)), httpx.Response(200, json=SAID))
    assert ask(api).predicted_class == "Beagle"
    assert len(waited) == 3
    assert waited[0] < 0.7 < waited[2] < 3


def test_a_service_that_stays_away_is_given_up_in_time(waited: list[float]) -> None:
    with pytest.raises(NotAnswered, match="refused to connect") as caught:
        ask(Api(httpx.ConnectError("refused to connect")), patience=Patience(busy=10))
    assert caught.value.status == 0
    assert 3 < sum(waited) <= 10


def test_a_model_that_never_wakes_is_given_up_in_time(waited: list[float]) -> None:
    with pytest.raises(NotAnswered) as caught:
        ask(Api(refusal(503, "Asleep", retry_after="60")), patience=Patience(asleep=300))
    assert caught.value.code == "Asleep"
    assert sum(waited) == 300


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "UnsupportedImage", Refused),
        (403, "Forbidden", Refused),
        (413, "PayloadTooLarge", Refused),
        (429, "QuotaExceeded", Refused),
        (503, "NoModelYet", NotAnswered),
        (500, "InternalError", NotAnswered),
    ],
)
def test_what_no_waiting_mends_is_said_at_once(
    status: int, code: str, kind: type[Exception], waited: list[float]
) -> None:
    with pytest.raises(kind) as caught:
        ask(Api(refusal(status, code)))
    error: Any = caught.value
    assert (error.status, error.code, error.request_id) == (status, code, "r-1")
    assert f"{code} happened" in str(error)
    assert not waited


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"error": "x"}', b'{"predicted_class": 1}'])
def test_a_reply_that_nobody_understands_is_an_error_by_name(body: bytes) -> None:
    for status in (200, 400):
        with pytest.raises((NotAnswered, Refused)):
            ask(Api(httpx.Response(status, content=body)))


def test_pictures_in_memory_become_files_of_the_same_pixels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    image = Image.fromarray(pixels)
    path = tmp_path / "one.png"
    image.save(path)
    for picture in (pixels, image, path, str(path), path.read_bytes()):
        api = Api(httpx.Response(200, json=SAID))
        ask(api, picture)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(api.asked[0].content))), pixels)


def test_a_picture_that_is_too_large_for_the_api_is_made_smaller() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3000, 3000, 3), np.uint8)
    api = Api(httpx.Response(200, json=SAID))
    ask(api, noise)
    assert len(api.asked[0].content) < 4_500_000
    assert max(Image.open(io.BytesIO(api.asked[0].content)).size) == 2048
    assert noise.shape == (3000, 3000, 3)


@pytest.mark.parametrize(
    ("picture", "says"),
    [
        (3, "int is no picture"),
        (np.zeros((4, 4, 3), np.float32), "float32"),
        (np.zeros((4, 4, 7), np.uint8), "(4, 4, 7)"),
    ],
)
def test_what_is_no_picture_is_named(picture: Any, says: str) -> None:
    with pytest.raises(NotAPicture) as caught:
        ask(Api(httpx.Response(200, json=SAID)), picture)
    assert says in str(caught.value)


def test_a_deployments_outputs_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "outputs.json"
    path.write_text(json.dumps({"api_url": "https://api.example/live/", "api_key": "k"}))
    with Client.from_outputs(path) as made:
        assert (made._url, made._headers["x-api-key"]) == ("https://api.example/live", "k")


def test_what_is_exported_is_there() -> None:
    assert all(hasattr(classifier_client, name) for name in classifier_client.__all__)
