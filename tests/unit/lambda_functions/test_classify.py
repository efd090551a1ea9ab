"""classify: a picture's bytes reach the endpoint as they are, and every failure has its name and status."""

from __future__ import annotations

import base64
import io
import json
import re
import sys
from typing import Any

import pytest
from botocore.exceptions import ConnectionClosedError, EndpointConnectionError, ReadTimeoutError
from botocore.response import StreamingBody
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from functions.classify import absence, classes, model
from functions.classify.handler import handler
from tests.unit.lambda_functions.fakes import AwsFailure, Context, Fake, World, package_arn

ANSWER = '{"predicted_class": "Beagle", "predictions": []}'
ERROR_STATUS = {400, 404, 413, 415, 429, 503, 504}


class FakeRuntime(Fake):
    service = "sagemaker-runtime"

    def __init__(self) -> None:
        super().__init__()
        self.on = {"InvokeEndpoint": self._invoke}

    def _invoke(self, _: dict[str, Any]) -> dict[str, Any]:
        body = ANSWER.encode()
        return {"Body": StreamingBody(io.BytesIO(body), len(body)), "ContentType": "application/json"}

    def fail(self, error: Exception, times: int = 99) -> None:
        answer, left = self._invoke, iter(range(times))

        def failing(params: dict[str, Any]) -> dict[str, Any]:
            if next(left, None) is None:
                return answer(params)
            raise error

        self.on["InvokeEndpoint"] = failing


@pytest.fixture
def runtime(world: World, monkeypatch: pytest.MonkeyPatch) -> FakeRuntime:
    monkeypatch.setattr(model, "_cached", None)
    classes._of.cache_clear()
    monkeypatch.setattr(absence, "_woken", None)
    world.others["sagemaker-runtime"] = runtime = FakeRuntime()
    return runtime


def request(
    body: bytes | None = b"picture", content_type: str | None = "image/jpeg", **more: Any
) -> dict[str, Any]:
    return {
        "resource": "/classify",
        "path": "/classify",
        "httpMethod": "POST",
        "headers": {"content-type": content_type} if content_type is not None else None,
        "body": base64.b64encode(body).decode() if body is not None else None,
        "isBase64Encoded": True,
        "queryStringParameters": None,
        "requestContext": {"requestId": "api-request-1"},
        **more,
    }


def get(path: str) -> dict[str, Any]:
    return request(None, None, resource=path, path=path, httpMethod="GET")


def error_of(answer: dict[str, Any]) -> tuple[int, str]:
    body = json.loads(answer["body"])
    assert set(body) == {"error", "request_id"}
    assert set(body["error"]) == {"code", "message"}
    assert body["request_id"] == "api-request-1"
    assert body["error"]["message"]
    assert answer["headers"]["Content-Type"] == "application/json"
    return answer["statusCode"], body["error"]["code"]


def model_error(status: int, message: str) -> AwsFailure:
    return AwsFailure(
        "ModelError", "Received error from primary", 424, OriginalStatusCode=status, OriginalMessage=message
    )


def test_the_pictures_bytes_reach_the_endpoint_as_they_are_and_its_answer_comes_back(
    runtime: FakeRuntime,
) -> None:
    picture = bytes(range(256))
    answer = handler(request(picture), Context())
    assert (answer["statusCode"], answer["body"]) == (200, ANSWER)
    assert runtime.called("InvokeEndpoint") == [
        {
            "EndpointName": "demo",
            "Body": picture,
            "ContentType": "image/jpeg",
            "Accept": "application/json",
            "InferenceId": "api-request-1",
        }
    ]


@pytest.mark.parametrize("odd", ["x" * 65, "two words", "ümlaut", "line\n"])
def test_a_request_id_that_aws_would_refuse_is_left_out(runtime: FakeRuntime, odd: str) -> None:
    assert handler({**request(), "requestContext": {"requestId": odd}}, Context())["statusCode"] == 200
    assert "InferenceId" not in runtime.called("InvokeEndpoint")[0]


def test_top_k_goes_on_to_the_container(runtime: FakeRuntime) -> None:
    handler(request(queryStringParameters={"top_k": "3"}), Context())
    assert runtime.called("InvokeEndpoint")[0]["CustomAttributes"] == "top_k=3"


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"explain": "true"}, "explain=true"),
        ({"explain": "false"}, "explain=false"),
        ({"top_k": "3", "explain": "true"}, "top_k=3,explain=true"),
    ],
)
def test_the_wish_for_an_explanation_goes_on_to_the_container(
    runtime: FakeRuntime, asked: dict[str, str], sent: str
) -> None:
    handler(request(queryStringParameters=asked), Context())
    assert runtime.called("InvokeEndpoint")[0]["CustomAttributes"] == sent


@pytest.mark.parametrize("explain", ["1", "yes", "True", "true,top_k=9", "true\r\nx: y"])
def test_an_explain_that_is_neither_true_nor_false_is_a_400(runtime: FakeRuntime, explain: str) -> None:
    answer = handler(request(queryStringParameters={"explain": explain}), Context())
    assert error_of(answer) == (400, "InvalidExplain")
    assert not runtime.calls


@pytest.mark.parametrize("top_k", ["three", "-1", "1.5", "99999", "3\r\nx: y", "٣"])
def test_a_top_k_that_is_no_number_is_a_400(runtime: FakeRuntime, top_k: str) -> None:
    answer = handler(request(queryStringParameters={"top_k": top_k}), Context())
    assert error_of(answer) == (400, "InvalidTopK")
    assert not runtime.calls


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("image/png; charset=utf-8", "image/png"),
        ("IMAGE/JPEG", "image/jpeg"),
        (None, "application/octet-stream"),
        ("application/x-www-form-urlencoded", "application/octet-stream"),  # what curl --data-binary says
        ("application/json", "application/octet-stream"),  # what API Gateway takes for granted
    ],
)
def test_the_content_type_is_told_or_left_to_the_bytes(
    runtime: FakeRuntime, given: str | None, sent: str
) -> None:
    assert handler(request(content_type=given), Context())["statusCode"] == 200
    assert runtime.called("InvokeEndpoint")[0]["ContentType"] == sent


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", b'{"instances": []}'),
        ("application/json", b"\n [1]"),
        ("text/plain", b"picture"),
        ("multipart/form-data; boundary=x", b"picture"),
    ],
)
def test_another_content_type_is_a_415_that_says_how_to_send_a_picture(
    runtime: FakeRuntime, content_type: str, body: bytes
) -> None:
    answer = handler(request(body, content_type=content_type), Context())
    assert error_of(answer) == (415, "UnsupportedMediaType")
    assert "--data-binary" in answer["body"]
    assert not runtime.calls


def test_a_picture_that_came_as_text_is_a_415_that_says_what_to_send(runtime: FakeRuntime) -> None:
    text = b"\x89PNG\r\n".decode(errors="replace")
    answer = handler({**request(content_type=None), "body": text, "isBase64Encoded": False}, Context())
    assert error_of(answer) == (415, "UnsupportedMediaType")
    assert "Send it with Content-Type" in answer["body"]
    assert not runtime.calls


def test_a_picture_of_the_largest_size_passes_and_one_byte_more_is_a_413(runtime: FakeRuntime) -> None:
    assert handler(request(b"x" * 1000), Context())["statusCode"] == 200
    assert error_of(handler(request(b"x" * 1001), Context())) == (413, "PayloadTooLarge")
    assert error_of(handler(request(b"x" * 100_000), Context())) == (413, "PayloadTooLarge")
    assert len(runtime.calls) == 1


@pytest.mark.parametrize("body", [b"", None])
def test_no_body_is_a_400(runtime: FakeRuntime, body: bytes | None) -> None:
    assert error_of(handler(request(body), Context())) == (400, "EmptyBody")


def test_a_body_that_is_not_base64_is_a_400(runtime: FakeRuntime) -> None:
    assert error_of(handler({**request(), "body": "***"}, Context())) == (400, "InvalidBody")


def test_a_body_that_is_too_large_is_refused_before_it_is_decoded(runtime: FakeRuntime) -> None:
    assert error_of(handler({**request(), "body": "*" * 10_000}, Context())) == (413, "PayloadTooLarge")


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "UnsupportedImage"),
        (400, "TruncatedImage"),
        (413, "PayloadTooLarge"),
        (415, "UnsupportedMediaType"),
        (503, "Overloaded"),
    ],
)
def test_what_the_container_refuses_is_passed_on_with_its_status_and_code(
    runtime: FakeRuntime, status: int, code: str
) -> None:
    runtime.fail(model_error(status, json.dumps({"error": {"code": code, "message": "why"}})))
    answer = handler(request(), Context())
    assert error_of(answer) == (status, code)
    assert ("Retry-After" in answer["headers"]) == (status == 503)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (model_error(500, "<html>"), 503, "ModelFailed"),
        (model_error(500, '{"error": {"code": "Bug", "message": "x"}}'), 503, "ModelFailed"),
        (model_error(400, "not json"), 503, "ModelFailed"),
        (model_error(0, "Your invocation timed out while waiting"), 504, "ModelTimeout"),
        (AwsFailure("ThrottlingException", "Rate exceeded"), 429, "TooManyRequests"),
        (AwsFailure("ServiceUnavailable", "busy", 503), 503, "Overloaded"),
        (AwsFailure("InternalFailure", "x", 500), 503, "Overloaded"),
        (AwsFailure("ModelNotReadyException", "x", 429), 503, "EndpointStarting"),
        (ReadTimeoutError(endpoint_url="x"), 504, "ModelTimeout"),
        (EndpointConnectionError(endpoint_url="x"), 503, "Overloaded"),
        (ConnectionClosedError(endpoint_url="x"), 503, "Overloaded"),
    ],
)
def test_a_failure_of_the_endpoint_is_never_blamed_on_the_client(
    runtime: FakeRuntime, error: Exception, status: int, code: str
) -> None:
    runtime.fail(error)
    answer = handler(request(), Context())
    assert error_of(answer) == (status, code)
    assert int(answer["headers"]["Retry-After"]) > 0


def test_a_kept_connection_that_was_closed_is_tried_anew_once(runtime: FakeRuntime) -> None:
    runtime.fail(ConnectionClosedError(endpoint_url="x"), times=1)
    assert handler(request(), Context())["statusCode"] == 200


def test_a_model_that_takes_too_long_is_not_asked_twice(runtime: FakeRuntime) -> None:
    runtime.fail(ReadTimeoutError(endpoint_url="x"))
    handler(request(), Context())
    assert len(runtime.calls) == 1


NOT_FOUND = AwsFailure("ValidationError", "Endpoint demo of account 000000000000 not found.")


def test_before_the_first_model_the_answer_is_503_with_what_to_do(runtime: FakeRuntime) -> None:
    runtime.fail(NOT_FOUND)
    answer = handler(request(), Context())
    assert error_of(answer) == (503, "NoModelYet")
    assert "classifier upload" in answer["body"]


def test_while_the_endpoint_is_being_made_the_answer_is_503_and_when_to_ask_again(
    world: World, runtime: FakeRuntime
) -> None:
    runtime.fail(NOT_FOUND)
    world.sagemaker.endpoints["demo"] = "Creating"
    answer = handler(request(), Context())
    assert error_of(answer) == (503, "EndpointStarting")
    assert answer["headers"]["Retry-After"] == "30"


def test_a_sleeping_component_is_asked_by_its_name_and_says_when_to_ask_again(
    runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFERENCE_COMPONENT", "demo")
    runtime.fail(
        AwsFailure("ValidationError", "Inference Component has no capacity to process this request.")
    )
    answer = handler(request(), Context())
    assert runtime.called("InvokeEndpoint")[0]["InferenceComponentName"] == "demo"
    assert error_of(answer) == (503, "Asleep")
    assert answer["headers"]["Retry-After"] == "60"


def test_an_endpoint_that_failed_says_so(world: World, runtime: FakeRuntime) -> None:
    runtime.fail(NOT_FOUND)
    world.sagemaker.endpoints["demo"] = "Failed"
    assert error_of(handler(request(), Context())) == (503, "EndpointFailed")


def test_a_fault_of_the_deployment_is_a_500_with_the_request_id_and_no_detail(runtime: FakeRuntime) -> None:
    runtime.fail(AwsFailure("AccessDeniedException", "arn:aws:secret is not authorized", 403))
    answer = handler(request(), Context())
    assert error_of(answer) == (500, "InternalError")
    assert "secret" not in answer["body"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/classify"), ("POST", "/"), ("DELETE", "/model"), ("GET", "/x")]
)
def test_another_route_is_a_404(runtime: FakeRuntime, method: str, path: str) -> None:
    event = request(resource=path, path=path, httpMethod=method)
    assert error_of(handler(event, Context())) == (404, "NotFound")


def serve(world: World, arn: str, status: str = "InService") -> None:
    world.ssm._put({"Name": "/demo/champion", "Value": arn, "Overwrite": True})
    world.sagemaker.endpoints["demo"] = status
    world.sagemaker.serving = arn


def test_the_model_tells_what_serves_and_what_it_was_measured_at(world: World, runtime: FakeRuntime) -> None:
    serve(world, package_arn(3))
    world.sagemaker.packages[package_arn(3)] = {
        "CustomerMetadataProperties": {"test_accuracy": "0.972", "dataset": "digits", "recipe": "digits"}
    }
    answer = handler(get("/model"), Context())
    assert json.loads(answer["body"]) == {
        "model": {"name": "demo", "version": "3"},
        "recipe": "digits",
        "dataset": "digits",
        "test_accuracy": 0.972,
        "endpoint": {"name": "demo", "status": "InService"},
        "limits": {"max_image_bytes": 1000},
    }


@pytest.mark.parametrize("share", ["0.41", None])
def test_the_model_tells_what_its_answers_promise(
    world: World, runtime: FakeRuntime, share: str | None
) -> None:
    serve(world, package_arn(3))
    told = {"answer_precision": "0.95", "calibration_error": "0.021"}
    world.sagemaker.packages[package_arn(3)] = {
        "CustomerMetadataProperties": told | ({"certain_share": share} if share else {})
    }
    assert json.loads(handler(get("/model"), Context())["body"])["answers"] == {
        "precision": 0.95,
        "certain_share": 0.41 if share else None,
        "calibration_error": 0.021,
    }


def test_the_model_of_a_component_is_told_by_the_component(
    world: World, runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INFERENCE_COMPONENT", "demo")
    serve(world, package_arn(3))
    world.sagemaker.on["DescribeInferenceComponent"] = lambda _: {"Specification": {"ModelName": "a-model"}}
    body = json.loads(handler(get("/model"), Context())["body"])
    assert body["model"]["version"] == "3"
    assert world.sagemaker.called("DescribeModel") == [{"ModelName": "a-model"}]
    assert not world.sagemaker.called("DescribeEndpointConfig")


def test_while_a_new_champion_is_on_its_way_the_model_that_still_serves_is_named(
    world: World, runtime: FakeRuntime
) -> None:
    serve(world, package_arn(3), "Updating")
    world.ssm._put({"Name": "/demo/champion", "Value": package_arn(4), "Overwrite": True})
    body = json.loads(handler(get("/model"), Context())["body"])
    assert (body["model"]["version"], body["endpoint"]["status"]) == ("3", "Updating")


CLASSES = ["b", "a"]
EVALUATION = {
    "arch": "resnet18",
    "classes": CLASSES,
    "test": {
        "accuracy": 0.9,
        "loss": 0.3,
        "count": 20,
        "fingerprint": "f",
        "per_class": {"count": [10, 10], "predicted": [10, 10], "right": [9, 9]},
    },
}


def measured(world: World, evaluation: bytes | None) -> None:
    serve(world, package_arn(3))
    world.sagemaker.packages[package_arn(3)] = {
        "CustomerMetadataProperties": {"training_job": "demo-x-final"}
    }
    if evaluation is not None:
        world.s3.put("artifacts", "runs/demo-x-final/evaluation.json", evaluation)


def test_the_classes_are_told_in_their_order_and_read_once(world: World, runtime: FakeRuntime) -> None:
    measured(world, json.dumps(EVALUATION).encode())
    for _ in range(3):
        answer = handler(get("/classes"), Context())
        assert answer["statusCode"] == 200
        told = {"model": {"name": "demo", "version": "3"}, "classes": CLASSES}
        assert json.loads(answer["body"]) == told
    assert len(world.s3.called("GetObject")) == 1


@pytest.mark.parametrize("evaluation", [None, b"{}"])
def test_classes_that_are_not_known_are_a_404(
    world: World, runtime: FakeRuntime, evaluation: bytes | None
) -> None:
    measured(world, evaluation)
    assert error_of(handler(get("/classes"), Context())) == (404, "ClassesUnknown")


def test_without_a_model_there_are_no_classes(world: World, runtime: FakeRuntime) -> None:
    assert error_of(handler(get("/classes"), Context())) == (503, "NoModelYet")


def test_the_model_is_not_asked_of_sagemaker_for_every_visitor(world: World, runtime: FakeRuntime) -> None:
    serve(world, package_arn(3))
    for _ in range(5):
        assert handler(get("/model"), Context())["statusCode"] == 200
    assert len(world.sagemaker.called("DescribeEndpoint")) == 1


def test_without_a_champion_the_model_is_a_503(runtime: FakeRuntime) -> None:
    assert error_of(handler(get("/model"), Context())) == (503, "NoModelYet")


def test_a_champion_without_an_endpoint_is_starting(world: World, runtime: FakeRuntime) -> None:
    world.ssm._put({"Name": "/demo/champion", "Value": package_arn(3), "Overwrite": True})
    assert error_of(handler(get("/model"), Context())) == (503, "EndpointStarting")


def test_the_page_loads_nothing_from_elsewhere_and_its_policy_allows_only_itself(
    runtime: FakeRuntime,
) -> None:
    answer = handler(get("/"), Context())
    html, policy = answer["body"], answer["headers"]["Content-Security-Policy"]
    assert answer["headers"]["Content-Type"] == "text/html; charset=utf-8"
    assert not re.findall(r'(?:src|href)="(?!data:)[^"]', html)
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert len(re.findall(r"script-src 'sha256-[^']+'; style-src 'sha256-[^']+'", policy)) == 1


def test_the_page_knows_how_large_a_picture_may_be(runtime: FakeRuntime) -> None:
    assert 'Number("1000")' in handler(get("/"), Context())["body"]


def test_with_an_allowed_origin_every_answer_names_it_and_without_none_does(
    runtime: FakeRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = "Access-Control-Allow-Origin"
    assert header not in handler(request(), Context())["headers"]
    monkeypatch.setenv("ALLOWED_ORIGIN", "https://example.org")
    for event in (request(), request(b""), get("/model"), get("/")):
        assert handler(event, Context())["headers"][header] == "https://example.org"


def test_every_line_of_the_log_is_json_with_both_request_ids(
    runtime: FakeRuntime, capsys: pytest.CaptureFixture[str]
) -> None:
    handler(request(b""), Context("lambda-1"))
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines
    for line in lines:
        assert (line["requestId"], line["apiRequestId"]) == ("lambda-1", "api-request-1")
        assert line["level"] == "INFO"


def counted(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answer: str) -> list[Any]:
    """The lines that CloudWatch makes metrics of, after a picture got this answer."""
    monkeypatch.setattr(sys.modules[__name__], "ANSWER", answer)
    assert handler(request(), Context())["body"] == answer
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [line for line in lines if "_aws" in line]


def test_the_marks_of_an_answer_are_metrics(
    runtime: FakeRuntime, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = counted(capsys, monkeypatch, '{"certain": false, "unlike_training": true}')
    (directive,) = line["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Classifier/Answers"
    values = {each["Name"]: line[each["Name"]] for each in directive["Metrics"]}
    assert values == {"Certain": 0, "UnlikeTraining": 1}
    assert [line[name] for name in directive["Dimensions"][0]] == ["demo"]
    (half,) = counted(capsys, monkeypatch, '{"certain": true, "unlike_training": null}')
    assert [each["Name"] for each in half["_aws"]["CloudWatchMetrics"][0]["Metrics"]] == ["Certain"]


@pytest.mark.parametrize("answer", ['{"certain": null, "unlike_training": null}', "{}", "[1]", "no JSON"])
def test_a_model_that_sets_no_marks_counts_nothing(
    answer: str,
    runtime: FakeRuntime,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert counted(capsys, monkeypatch, answer) == []


fields = st.none() | st.text(max_size=20)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=fields,
    encoded=st.booleans(),
    headers=st.none()
    | st.dictionaries(st.sampled_from(["Content-Type", "content-type", "x"]), st.text(max_size=30)),
    query=st.none() | st.dictionaries(st.sampled_from(["top_k", "x"]), st.text(max_size=8)),
)
def test_no_request_whatever_it_holds_is_answered_with_a_5xx(
    runtime: FakeRuntime,
    body: str | None,
    encoded: bool,
    headers: dict[str, str] | None,
    query: dict[str, str] | None,
) -> None:
    event = {**request(), "body": body, "isBase64Encoded": encoded, "headers": headers}
    answer = handler({**event, "queryStringParameters": query}, Context())
    assert answer["statusCode"] in {200, *ERROR_STATUS} - {503, 504}


class FakeLambda(Fake):
    service = "lambda"

    def __init__(self) -> None:
        super().__init__()
        self.on = {"Invoke": lambda _: {"StatusCode": 202}}


@pytest.fixture
def sleeper(world: World, runtime: FakeRuntime) -> FakeLambda:
    """A champion that sleeps: the parameter is `none`, its description says who sleeps, and there is no
    endpoint.
    """
    text = (
        f"2026-11-20T12:00:00Z asleep {package_arn(3)} since 2026-11-20T11:00:00Z no request for 60 minutes"
    )
    put = {"Name": "/demo/champion", "Value": "none", "Description": text, "Overwrite": True}
    world.ssm._put(put)
    not_found = {"Code": "ValidationError", "Message": "Endpoint demo of account 1 not found."}
    runtime.fail(AwsFailure(not_found["Code"], not_found["Message"]))
    world.others["lambda"] = promote = FakeLambda()
    return promote


def test_a_picture_wakes_a_sleeping_model_once_and_the_answer_says_so(sleeper: FakeLambda) -> None:
    for _ in range(3):
        answer = handler(request(), Context())
        assert error_of(answer) == (503, "Asleep")
        assert "waking" in answer["body"]
        assert answer["headers"]["Retry-After"] == "30"
    (call,) = sleeper.called("Invoke")
    assert (call["FunctionName"], call["InvocationType"]) == ("demo-promote-model", "Event")
    assert json.loads(call["Payload"]) == {"action": "wake", "why": "a request came", "model": package_arn(3)}


def test_a_look_at_the_model_does_not_wake_it(sleeper: FakeLambda) -> None:
    assert error_of(handler(get("/model"), Context())) == (503, "Asleep")
    assert not sleeper.called("Invoke")


def test_a_model_on_its_way_is_not_woken_again(world: World, sleeper: FakeLambda) -> None:
    woken = {"Value": package_arn(3), "Description": "2026-11-20T12:30:00Z woken: a request came"}
    world.ssm._put({"Name": "/demo/champion", "Overwrite": True, **woken})
    assert error_of(handler(request(), Context())) == (503, "EndpointStarting")
    assert not sleeper.called("Invoke")
