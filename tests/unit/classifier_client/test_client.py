"""The Python client: what it sends, what it makes of each reply, and how long it waits."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import classifier_client
from classifier_client import Answer, AsyncClient, Client, NotAnswered, NotAPicture, Refused, policy
from classifier_client import client as module
from classifier_client.policy import Patience
from tests.unit.anything import DEEP, LONG, json_values

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


def call(api: Reply, name: str, how: str, *given: Any, patience: Patience | None = None, **more: Any) -> Any:
    """What a method of either client returns."""
    if how == "sync":
        return getattr(client(api, patience=patience), name)(*given, **more)

    async def run() -> Any:
        made = AsyncClient("https://api.example/live/", "the-key", patience=patience)
        made._http = httpx.AsyncClient(transport=httpx.MockTransport(api))
        async with made:
            return await getattr(made, name)(*given, **more)

    return asyncio.run(run())


def ask(
    api: Reply, picture: Any = b"bytes", how: str = "sync", patience: Patience | None = None, **more: Any
) -> Any:
    """The answer of either client."""
    return call(api, "classify", how, picture, patience=patience, **more)


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


@pytest.mark.parametrize("how", ["sync", "async"])
def test_the_classes_are_named_in_their_order(how: str) -> None:
    api = Api(httpx.Response(200, json={"model": SAID["model"], "classes": ["wasp", "ant", "bee"]}))
    assert call(api, "classes", how) == ("wasp", "ant", "bee")
    (request,) = api.asked
    assert (request.method, str(request.url)) == ("GET", "https://api.example/live/classes")
    assert request.headers["x-api-key"] == "the-key"


@pytest.mark.parametrize(("name", "given"), [("classify", [b"bytes"]), ("classes", []), ("model", [])])
@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_request_says_what_sends_it_for_the_firewall(name: str, given: list[bytes], how: str) -> None:
    api = Api(httpx.Response(200, json={**SAID, "classes": ["Beagle"]}))
    call(api, name, how, *given)
    assert api.asked[0].headers["user-agent"] == "classifier-client"


@pytest.mark.parametrize("how", ["sync", "async"])
def test_the_model_that_serves_is_told(how: str) -> None:
    api = Api(httpx.Response(200, json={"model": SAID["model"], "recipe": "digits"}))
    assert call(api, "model", how)["model"]["version"] == "3"
    assert str(api.asked[0].url) == "https://api.example/live/model"


@pytest.mark.parametrize("how", ["sync", "async"])
@pytest.mark.parametrize("name", ["classes", "model"])
def test_a_model_that_only_a_picture_wakes_is_not_waited_for(
    name: str, how: str, waited: list[float]
) -> None:
    with pytest.raises(NotAnswered) as caught:
        call(Api(refusal(503, "Asleep", retry_after="60")), name, how)
    assert (caught.value.code, waited) == ("Asleep", [])
    busy = Api(refusal(429, "TooManyRequests", retry_after="2"), httpx.Response(200, json={"classes": []}))
    call(busy, name, how)
    assert waited == [2.0]


@pytest.mark.parametrize("body", [b"", b"[]", b'"ant"', b"3"])
@pytest.mark.parametrize("name", ["classes", "model"])
def test_classes_and_models_that_nobody_understands_are_an_error_by_name(name: str, body: bytes) -> None:
    with pytest.raises(NotAnswered):
        call(Api(httpx.Response(200, content=body)), name, "sync")


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


def each(api: Reply, pictures: list[Any], how: str) -> list[Any]:
    """The outcomes of either client."""
    if how == "sync":
        return list(client(api).each(pictures))

    async def run() -> list[Any]:
        async with AsyncClient("https://api.example/live/", "the-key") as made:
            made._http = httpx.AsyncClient(transport=httpx.MockTransport(api))
            return [outcome async for outcome in made.each(pictures)]

    return asyncio.run(run())


@pytest.mark.parametrize("how", ["sync", "async"])
def test_each_picture_has_its_answer_or_its_reason(how: str, tmp_path: Path) -> None:
    def judge(request: httpx.Request) -> httpx.Response:
        return (
            httpx.Response(200, json=SAID) if request.content == b"good" else refusal(400, "TruncatedImage")
        )

    outcomes = each(judge, [b"good", b"bad", tmp_path / "none.png", 3, b"good"], how)
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [Answer, Refused, FileNotFoundError, NotAPicture, Answer]
    assert outcomes[1].code == "TruncatedImage"


@pytest.mark.parametrize("how", ["sync", "async"])
def test_no_more_than_eight_are_asked_at_a_time(how: str) -> None:
    under_way, most = 0, 0

    def count(by: int) -> None:
        nonlocal under_way, most
        under_way += by
        most = max(most, under_way)

    class Slow(httpx.AsyncBaseTransport, httpx.BaseTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            count(1)
            time.sleep(0.01)
            count(-1)
            return httpx.Response(200, json=SAID)

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            count(1)
            await asyncio.sleep(0.01)
            count(-1)
            return httpx.Response(200, json=SAID)

    async def run() -> None:
        made = AsyncClient("https://api.example/live/", "the-key")
        made._http = httpx.AsyncClient(transport=Slow())
        async for _ in made.each([b"x"] * 40):
            pass

    if how == "async":
        asyncio.run(run())
    else:
        made = client(Api())
        made._http = httpx.Client(transport=Slow())
        assert len(list(made.each([b"x"] * 40))) == 40
    assert 2 <= most <= 8


def test_who_stops_taking_answers_leaves_no_request_behind() -> None:
    ended: list[str] = []

    class Never(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.content == b"0":
                return httpx.Response(200, json=SAID)
            try:
                await asyncio.Event().wait()
            finally:
                ended.append(request.content.decode())
            raise AssertionError

    async def run() -> None:
        made = AsyncClient("https://api.example/live/", "the-key")
        made._http = httpx.AsyncClient(transport=Never())
        asked = made.each([str(number).encode() for number in range(40)])
        await anext(asked)
        await asyncio.sleep(0)
        await asked.aclose()

    asyncio.run(run())
    assert sorted(ended) == [str(number) for number in range(1, 8)]


@pytest.mark.parametrize(
    ("status", "code", "of_all"),
    [
        (0, "", True),
        (403, "Forbidden", True),
        (429, "QuotaExceeded", True),
        (503, "NoModelYet", True),
        (503, "Asleep", True),
        (400, "UnsupportedImage", False),
        (413, "PayloadTooLarge", False),
        (429, "TooManyRequests", False),
        (503, "ModelFailed", False),
        (500, "InternalError", False),
    ],
)
def test_an_error_says_whether_any_other_picture_would_fare_better(
    status: int, code: str, of_all: bool
) -> None:
    assert NotAnswered(status, code, "").of_all is of_all


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_sleeping_model_is_waited_for_as_long_as_the_service_says(how: str, waited: list[float]) -> None:
    api = Api(
        refusal(503, "Asleep", retry_after="30"),
        refusal(503, "EndpointStarting", retry_after="30"),
        httpx.Response(200, json=SAID),
    )
    assert ask(api, how=how).predicted_class == "Beagle"
    assert waited == [30.0, 30.0]


def test_a_model_that_woke_may_be_busy_for_as_long_as_any_and_every_wait_is_told(
    waited: list[float],
) -> None:
    told: list[tuple[str, float]] = []
    api = Api(
        *(refusal(503, "Asleep", retry_after="60") for _ in range(2)),
        *(refusal(429, "TooManyRequests", retry_after="20") for _ in range(2)),
        httpx.Response(200, json=SAID),
    )
    made = client(
        api, patience=Patience(busy=50, asleep=200), on_wait=lambda why, s: told.append((why.code, s))
    )
    assert made.classify(b"bytes").predicted_class == "Beagle"
    assert told == [("Asleep", 60.0), ("Asleep", 60.0), ("TooManyRequests", 20.0), ("TooManyRequests", 20.0)]
    assert waited == [seconds for _, seconds in told]


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


ANSWERS = json_values(
    ["predicted_class", "class_index", "predictions", "confidence", "class", "error", "code", "message"],
    ["ant"],
)


@given(
    st.binary(max_size=50)
    | (
        ANSWERS.map(json.dumps)
        | st.sampled_from([DEEP, LONG, "", json.dumps(SAID | {"confidence": 10**400})])
    ).map(str.encode)
)
def test_any_reply_is_an_answer_or_an_error_by_name(body: bytes) -> None:
    for status in (200, 400):
        with suppress(NotAnswered, Refused):
            ask(Api(httpx.Response(status, content=body)))


@given(st.text(max_size=5) | st.sampled_from(["²", "1e9", "-1", "٣"]))
def test_any_retry_after_is_seconds_or_passed_over(text: str) -> None:
    headers = {"retry-after": text}
    assert policy.Tries(Patience(busy=1e12)).after_reply(429, headers, b"") >= 0


def test_a_picture_larger_than_any_api_takes_is_refused_without_being_sent() -> None:
    api = Api(httpx.Response(200, json=SAID))
    with pytest.raises(Refused, match=r"12\.0 MB") as caught:
        ask(api, b"x" * 12_000_000)
    assert (caught.value.code, api.asked) == ("PayloadTooLarge", [])


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


def test_who_is_cancelled_stops_though_a_request_ends_just_then(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ends(*_: Any) -> str:
        with suppress(asyncio.CancelledError):  # as one does whose answer comes with the cancellation
            await asyncio.sleep(0.05)
        return "answered"

    async def asked() -> int:
        found = []
        async with AsyncClient("https://api.example/live/", "the-key") as api:
            monkeypatch.setattr(api, "_classify", ends)

            async def take() -> None:
                found.extend([each async for each in api.each([b"picture"] * 40)])

            taking = asyncio.create_task(take())
            await asyncio.sleep(0.02)
            taking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await taking
        return len(found)

    assert asyncio.run(asked()) == 0
