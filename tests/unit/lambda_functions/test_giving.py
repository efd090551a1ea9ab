"""What is given is kept with its answer and can be corrected; what is not given is kept nowhere."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pytest
from botocore.response import StreamingBody
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from contract import given
from functions.classify.handler import handler as classify
from functions.feedback.handler import handler as feedback
from tests.unit.lambda_functions.fakes import AwsFailure, Context, Fake, World

BUCKET = "given"
CLASSES = tuple(f"class {number}" for number in range(12))
ID = "11111111-aaaa-bbbb-cccc-555555555555"
PICTURE = b"\xff\xd8 the bytes of a picture"


class Runtime(Fake):
    """An endpoint that names as many of its classes as it is asked for."""

    service = "sagemaker-runtime"

    def __init__(self) -> None:
        super().__init__()
        self.on = {"InvokeEndpoint": self._invoke}

    def _invoke(self, params: dict[str, Any]) -> dict[str, Any]:
        asked = dict(each.split("=") for each in params.get("CustomAttributes", "").split(",") if each)
        named = CLASSES[: int(asked.get("top_k", 5))]
        ranking = [{"class": name, "class_index": 0, "confidence": 0.5} for name in named]
        answer = {
            "predicted_class": CLASSES[0],
            "class_index": 0,
            "confidence": 0.5,
            "predictions": ranking,
            "model": {"name": "demo", "version": "3"},
            **({"explanation": {"class": CLASSES[0]}} if asked.get("explain") == "true" else {}),
        }
        body = json.dumps(answer).encode()
        return {"Body": StreamingBody(io.BytesIO(body), len(body)), "ContentType": "application/json"}


@pytest.fixture
def runtime(world: World) -> Runtime:
    world.others["sagemaker-runtime"] = runtime = Runtime()
    return runtime


@pytest.fixture
def keeping(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN_BUCKET", BUCKET)
    monkeypatch.setenv("GIVEN_DAYS", "30")


def ask(
    headers: dict[str, str], key: str = "key-1", body: bytes = PICTURE, request_id: str = ID, **query: str
) -> dict[str, Any]:
    event = {
        "resource": "/classify",
        "httpMethod": "POST",
        "headers": {"content-type": "image/jpeg", **headers},
        "body": base64.b64encode(body).decode(),
        "isBase64Encoded": True,
        "queryStringParameters": query or None,
        "requestContext": {"requestId": request_id, "identity": {"apiKeyId": key}},
    }
    return classify(event, Context())


def give(**more: Any) -> dict[str, Any]:
    answer = ask({"X-Give-Picture": "true", **more.pop("headers", {})}, **more)
    assert answer["statusCode"] == 200
    body: dict[str, Any] = json.loads(answer["body"])
    return body


def say(body: Any, encoded: bool = True) -> tuple[int, dict[str, Any]]:
    text = body if isinstance(body, str) else json.dumps(body)
    event = {
        "resource": "/feedback",
        "httpMethod": "POST",
        "headers": {},
        "body": base64.b64encode(text.encode()).decode() if encoded else text,
        "isBase64Encoded": encoded,
        "requestContext": {"requestId": "another"},
    }
    answer = feedback(event, Context())
    return answer["statusCode"], json.loads(answer["body"])


def stored(world: World) -> list[str]:
    return world.s3.keys(BUCKET)


def record(world: World, request_id: str = ID) -> given.Given:
    return given.Given.from_json(world.s3.objects[BUCKET, given.answer_of(request_id)])


@pytest.mark.parametrize("said", [None, "true", "TRUE", "false", "yes", "1", "x" * 500])
def test_without_the_setting_no_byte_of_a_picture_is_stored_whatever_the_header_says(
    world: World, runtime: Runtime, said: str | None
) -> None:
    before = dict(world.s3.objects)
    answer = ask({"x-give-picture": said, "x-sender": "ann"} if said else {})
    assert answer["statusCode"] == 200
    assert not {"request_id", "kept"} & set(json.loads(answer["body"]))
    assert world.s3.objects == before
    writing = [name for name, _ in world.s3.calls if not name.startswith(("Get", "List", "Head"))]
    assert writing == []
    # The endpoint is asked what it is asked without the header.
    assert "CustomAttributes" not in runtime.called("InvokeEndpoint")[0]


@pytest.mark.usefixtures("keeping")
@pytest.mark.parametrize("said", [None, "", "false", " False "])
def test_without_the_senders_word_nothing_is_kept(world: World, said: str | None) -> None:
    answer = ask({} if said is None else {"x-give-picture": said})
    assert answer["statusCode"] == 200
    assert not {"request_id", "kept"} & set(json.loads(answer["body"]))
    assert stored(world) == []


@pytest.mark.usefixtures("keeping")
def test_a_given_picture_is_kept_as_it_was_sent_with_all_that_was_answered(world: World) -> None:
    answer = give()
    assert answer["request_id"] == ID
    assert answer["kept"] == {"days": 30, "classes": list(CLASSES)}
    assert stored(world) == [given.answer_of(ID), given.picture_of(ID)]
    assert world.s3.objects[BUCKET, given.picture_of(ID)] == PICTURE
    kept = record(world)
    assert (kept.predicted, kept.confidence, kept.model_version) == (CLASSES[0], 0.5, "3")
    assert kept.classes == CLASSES
    assert kept.size == len(PICTURE)


@pytest.mark.usefixtures("keeping")
@pytest.mark.parametrize(("query", "named"), [({}, 5), ({"top_k": "2"}, 2), ({"top_k": "1000"}, 12)])
def test_who_gives_gets_the_answer_that_who_does_not_gets(query: dict[str, str], named: int) -> None:
    plain = json.loads(ask({}, **query)["body"])
    given_too = give(**query)
    assert len(plain["predictions"]) == named
    assert {key: given_too[key] for key in plain} == plain


@pytest.mark.usefixtures("keeping")
@pytest.mark.parametrize("top_k", ["0", "1001"])
def test_a_number_of_classes_that_the_container_refuses_reaches_it(runtime: Runtime, top_k: str) -> None:
    ask({"x-give-picture": "true"}, top_k=top_k)
    assert runtime.called("InvokeEndpoint")[0]["CustomAttributes"] == f"top_k={top_k}"


@pytest.mark.usefixtures("keeping")
def test_an_explanation_is_answered_and_not_kept(world: World) -> None:
    assert "explanation" in give(explain="true")
    assert "explanation" not in record(world).answer


@pytest.mark.usefixtures("keeping")
def test_a_picture_that_the_model_refuses_is_not_kept(world: World, runtime: Runtime) -> None:
    refusal = json.dumps({"error": {"code": "UnsupportedImage", "message": "no"}})

    def fail(_: dict[str, Any]) -> dict[str, Any]:
        raise AwsFailure("ModelError", "no", 424, OriginalStatusCode=400, OriginalMessage=refusal)

    runtime.on["InvokeEndpoint"] = fail
    assert ask({"x-give-picture": "true"})["statusCode"] == 400
    assert stored(world) == []


@pytest.mark.usefixtures("keeping")
@pytest.mark.parametrize("fails", [given.PICTURES, given.ANSWERS])
def test_where_keeping_fails_no_picture_is_kept_and_the_answer_is_there(world: World, fails: str) -> None:
    put = world.s3.on["PutObject"]

    def failing(params: dict[str, Any]) -> dict[str, Any]:
        if params["Key"].startswith(fails):
            raise AwsFailure("AccessDenied", "no", 403)
        return put(params)

    world.s3.on["PutObject"] = failing
    answer = give()
    assert answer["kept"] is None
    assert answer["predicted_class"] == CLASSES[0]
    assert world.s3.keys(BUCKET, given.PICTURES) == []


@pytest.mark.usefixtures("keeping")
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"x-give-picture": "yes"}, "InvalidGivePicture"),
        ({"x-give-picture": "true", "x-sender": "a b"}, "InvalidSender"),
        ({"x-give-picture": "true", "x-sender": "x" * 129}, "InvalidSender"),
    ],
)
def test_a_wrong_header_is_refused_by_name_and_nothing_kept(
    world: World, headers: dict[str, str], code: str
) -> None:
    answer = ask(headers)
    assert (answer["statusCode"], json.loads(answer["body"])["error"]["code"]) == (400, code)
    assert stored(world) == []


@pytest.mark.usefixtures("keeping")
def test_a_sender_is_the_key_and_the_clients_word_and_neither_is_written_down(world: World) -> None:
    senders = []
    for key, word in (("key-1", "ann"), ("key-1", "ann"), ("key-1", "bob"), ("key-2", "ann"), ("key-1", "")):
        give(key=key, headers={"x-sender": word} if word else {})
        senders.append(record(world).sender)
        written = world.s3.objects[BUCKET, given.answer_of(ID)].decode()
        assert "key-" not in written
        assert not word or word not in written
    assert senders[0] == senders[1]
    assert len(set(senders)) == 4


@pytest.mark.usefixtures("keeping")
def test_feedback_is_kept_and_said_again_replaces_what_was_said(world: World) -> None:
    give()
    for label, agrees in ((CLASSES[0], True), (CLASSES[11], False), (None, False), (None, False)):
        status, answer = say({"request_id": ID, "class": label})
        assert (status, answer) == (200, {"request_id": ID, "class": label, "agrees": agrees})
        kept = given.Feedback.from_json(world.s3.objects[BUCKET, given.feedback_of(ID)])
        assert kept.label == label
    assert world.s3.keys(BUCKET, given.FEEDBACK) == [given.feedback_of(ID)]


@pytest.mark.usefixtures("keeping")
@pytest.mark.parametrize("request_id", ["nobody", "", "../answers/x", "x" * 300, "a/b", "é"])
def test_feedback_about_what_is_not_kept_is_404(world: World, request_id: str) -> None:
    give()
    before = stored(world)
    status, answer = say({"request_id": request_id, "class": CLASSES[0]})
    assert (status, answer["error"]["code"]) == (404, "UnknownRequest")
    assert stored(world) == before


@pytest.mark.usefixtures("keeping")
def test_an_unknown_class_is_400_and_the_nearest_is_named(world: World) -> None:
    give()
    status, answer = say({"request_id": ID, "class": "class 11x"})
    assert (status, answer["error"]["code"]) == (400, "UnknownClass")
    assert '"class 11"' in answer["error"]["message"]
    assert world.s3.keys(BUCKET, given.FEEDBACK) == []


@pytest.mark.usefixtures("keeping")
@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[1]",
        {},
        {"request_id": ID},
        {"class": "x"},
        {"request_id": 7, "class": "x"},
        {"request_id": ID, "class": ["x"]},
        {"request_id": ID, "class": "x", "more": 1},
        "[" * 8000,
        " " * 9000,
    ],
)
def test_what_is_no_feedback_is_400(world: World, body: Any) -> None:
    give()
    for encoded in (True, False):
        status, answer = say(body, encoded)
        assert (status, answer["error"]["code"]) == (400, "InvalidFeedback")
    assert world.s3.keys(BUCKET, given.FEEDBACK) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@drawn(st.text() | st.dictionaries(st.sampled_from(["request_id", "class"]), st.text() | st.none()))
@pytest.mark.usefixtures("keeping")
def test_no_body_gets_anything_but_an_error_by_name(world: World, body: Any) -> None:
    status, answer = say(body)
    assert status in (400, 404)
    assert set(answer) == {"error", "request_id"}


@pytest.mark.usefixtures("keeping")
def test_another_path_is_404() -> None:
    answer = feedback({"httpMethod": "GET", "resource": "/feedback"}, Context())
    assert answer["statusCode"] == 404


@pytest.mark.usefixtures("keeping")
def test_another_sites_page_may_read_the_answer_by_the_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_ORIGIN", "https://example.org")
    answer = feedback({"httpMethod": "GET", "resource": "/feedback"}, Context())
    assert answer["headers"]["Access-Control-Allow-Origin"] == "https://example.org"
