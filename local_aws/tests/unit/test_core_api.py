"""The front door of our services: requests checked by botocore's models, answers shaped by them."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.parsers import JSONParser
from hypothesis import given, settings
from hypothesis import strategies as st

from local_aws.core import validation
from local_aws.core.api import JsonService
from local_aws.core.errors import AwsError, ResourceInUse, ValidationException, could_not_find


@pytest.fixture
def service() -> JsonService:
    return JsonService("sagemaker")


def ask(service: JsonService, operation: str, body: bytes) -> tuple[int, dict[str, Any]]:
    """An HTTP request's status and what boto3 makes of the answer."""
    headers = {"x-amz-target": f"SageMaker.{operation}"}
    status, answer_headers, answer = asyncio.run(service.handle("POST", "/", headers, body, {}))
    shape = service.model.operation_model(operation).output_shape
    parsed = JSONParser().parse({"status_code": status, "headers": answer_headers, "body": answer}, shape)
    return status, dict(parsed)


def test_a_handler_gets_the_parsed_request_and_its_answer_is_cut_to_the_model(service: JsonService) -> None:
    made = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

    @service.operation("DescribeModel")
    def describe(request: dict[str, Any]) -> dict[str, Any]:
        return {
            **request,
            "ModelArn": "arn",
            "CreationTime": made,
            "Secret": "of the store",
            "VpcConfig": None,
        }

    status, answer = ask(service, "DescribeModel", b'{"ModelName": "m"}')
    answer.pop("ResponseMetadata")
    assert (status, answer) == (200, {"ModelName": "m", "ModelArn": "arn", "CreationTime": made})


def test_every_broken_rule_is_told_in_awss_words(service: JsonService) -> None:
    service.operation("CreateModel")(lambda request: {})
    request = {"ModelName": "a_b", "Tags": [{"Key": "k"}], "PrimaryContainer": {"Mode": "Other"}, "Colour": 1}
    with pytest.raises(ValidationException) as refusal:
        service.call("CreateModel", request)
    message = refusal.value.message
    assert message.startswith("4 validation errors detected: ")
    assert "Value 'a_b' at 'modelName' failed to satisfy constraint: Member must satisfy regular" in message
    assert (
        "Value null at 'tags.1.member.value' failed to satisfy constraint: Member must not be null" in message
    )
    assert (
        "'primaryContainer.mode' failed to satisfy constraint: Member must satisfy enum value set" in message
    )
    assert "Unknown member 'Colour' in 'the request'" in message


@pytest.mark.parametrize(
    ("request_", "rule"),
    [
        ({"MaxResults": 0}, "greater than or equal to 1"),
        ({"MaxResults": 101}, "less than or equal to 100"),
        ({"NameContains": "x" * 64}, "length less than or equal to 63"),
    ],
)
def test_bounds_are_checked(service: JsonService, request_: dict[str, Any], rule: str) -> None:
    service.operation("ListModels")(lambda request: {})
    with pytest.raises(ValidationException, match=rule):
        service.call("ListModels", request_)


def test_a_value_of_the_wrong_type_cannot_be_read(service: JsonService) -> None:
    service.operation("ListModels")(lambda request: {})
    for wrong in (
        {"MaxResults": "ten"},
        {"MaxResults": True},
        {"NameContains": 3},
        {"CreationTimeAfter": "soon"},
    ):
        with pytest.raises(AwsError) as refusal:
            service.call("ListModels", wrong)
        assert refusal.value.code == "SerializationException"


def test_a_null_member_counts_as_left_out(service: JsonService) -> None:
    seen: list[dict[str, Any]] = []
    service.operation("ListModels")(lambda request: seen.append(request))
    service.call("ListModels", {"NameContains": None, "CreationTimeAfter": 0})
    assert seen == [{"CreationTimeAfter": datetime(1970, 1, 1, tzinfo=UTC)}]


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ResourceInUse("busy"), "ResourceInUse", "busy"),
        (could_not_find("endpoint", "x"), "ValidationException", 'Could not find endpoint "x".'),
        (ZeroDivisionError("oops"), "InternalFailure", "DescribeModel failed; see the server's log"),
    ],
)
def test_errors_reach_the_client_with_code_and_message(
    service: JsonService, error: Exception, code: str, message: str
) -> None:
    @service.operation("DescribeModel")
    def describe(request: dict[str, Any]) -> dict[str, Any]:
        raise error

    status, answer = ask(service, "DescribeModel", b'{"ModelName": "m"}')
    assert status == (500 if code == "InternalFailure" else 400)
    assert answer["Error"]["Code"] == code
    assert answer["Error"]["Message"] == message


def test_a_body_that_is_no_json_and_an_operation_nobody_answers_are_the_callers_fault(
    service: JsonService,
) -> None:
    service.operation("DescribeModel")(lambda request: {})
    assert ask(service, "DescribeModel", b"{nonsense")[1]["Error"]["Code"] == "SerializationException"
    status, answer = ask(service, "CreateNotebookInstance", b"{}")
    assert (status, answer["Error"]["Code"]) == (400, "UnknownOperationException")
    assert "DescribeModel" in answer["Error"]["Message"]


def test_a_name_the_model_does_not_know_is_no_operation(service: JsonService) -> None:
    with pytest.raises(ValueError, match="has no operation CreateModle"):
        service.operation("CreateModle")
    service.operation("CreateModel")(lambda request: {})
    with pytest.raises(ValueError, match="two functions"):
        service.operation("CreateModel")(lambda request: {})


def test_permission_is_asked_before_the_handler_runs(service: JsonService) -> None:
    ran: list[str] = []
    service.operation("DescribeModel")(lambda request: ran.append("handler"))

    def authorise(operation: str, request: dict[str, Any]) -> None:
        raise AwsError("AccessDeniedException", f"not {operation} of {request['ModelName']}")

    service.authorise = authorise
    _status, answer = ask(service, "DescribeModel", b'{"ModelName": "m"}')
    assert answer["Error"]["Message"] == "not DescribeModel of m"
    assert ran == []


def test_every_pattern_of_both_models_compiles() -> None:
    for name in ("sagemaker", "application-autoscaling"):
        model = JsonService(name).model
        for shape_name in model.shape_names:
            pattern = model.shape_for(shape_name).metadata.get("pattern")
            if pattern:
                validation.compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "matching", "failing"),
    [
        (r"\p{Print}+", "a policy", "naïve"),
        (r"([\p{L}\p{Z}\p{N}_.:/=+\-@]*)", "schöne Grüße 1", "no!"),
        (r"([\p{L}\p{Z}\p{N}_.:\/=+\-@]*)${1,256}", "a b", "a!b"),
        (r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\t]*", "smile 😀", "line\nbreak"),
        (r"arn:[\p{Alnum}\-]+:lambda", "arn:aws-cn:lambda", "arn:a_b:lambda"),
        (r"^[a-z]+", "abc", "abc1"),
    ],
)
def test_javas_patterns_mean_the_same_here(pattern: str, matching: str, failing: str) -> None:
    assert validation.compiled(pattern).fullmatch(matching)
    assert not validation.compiled(pattern).fullmatch(failing)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
MEMBERS = st.sampled_from(["ModelName", "PrimaryContainer", "Containers", "Tags", "VpcConfig", "Nonsense"])


FUZZED = JsonService("sagemaker")
FUZZED.operation("CreateModel")(lambda request: {"ModelArn": "arn"})


@settings(deadline=None)
@given(request=st.dictionaries(MEMBERS, VALUES) | VALUES)
def test_whatever_is_sent_is_accepted_or_the_callers_fault(request: Any) -> None:
    status, answer = ask(FUZZED, "CreateModel", json.dumps(request).encode())
    assert status in (200, 400), answer
