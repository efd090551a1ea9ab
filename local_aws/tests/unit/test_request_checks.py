"""What AWS's own services refuse of a request, the local ones refuse, in the service's own code."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote, urlencode

import pytest
from botocore.serialize import create_serializer
from ministack.core.responses import AccountScopedDict
from ministack.services import apigateway_v1, cloudwatch_logs, eventbridge, iam, lambda_svc

from local_aws.core import wire
from local_aws.core.errors import AwsError
from local_aws.ministack_adapter import (
    function_logs,
    managed_policies,
    objects,
    payloads,
    request_checks,
    rules,
)
from local_aws.ministack_adapter.requests import Request

ROLE = "arn:aws:iam::000000000000:role/lambda"


def refused(service: str, operation: str, **members: Any) -> str:
    """The code an operation is refused by."""
    with pytest.raises(AwsError) as refusal:
        request_checks.check(service, operation, members)
    return refusal.value.code


def function(**members: Any) -> dict[str, Any]:
    return {"FunctionName": "f", "Role": ROLE, "Code": {}, **members}


@pytest.fixture(autouse=True)
def role(monkeypatch: pytest.MonkeyPatch) -> None:
    """A role of Lambda's and one of SageMaker's."""

    def trusting(name: str, service: str) -> dict[str, Any]:
        statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        arn = f"arn:aws:iam::000000000000:role/{name}"
        return {"Arn": arn, "RoleId": "AROA", "AssumeRolePolicyDocument": document}

    services = {"lambda": "lambda.amazonaws.com", "jobs": "sagemaker.amazonaws.com"}
    monkeypatch.setattr(iam, "_roles", {name: trusting(name, service) for name, service in services.items()})


REQUESTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("iam", "CreateRole", "query", {"RoleName": "a", "AssumeRolePolicyDocument": "{}",
                                    "Tags": [{"Key": "k", "Value": ""}]}),
    ("sns", "CreateTopic", "query", {"Name": "x", "Attributes": {"A": "b", "C": "d"}}),
    ("cloudformation", "UpdateStack", "query", {"StackName": "s", "Capabilities": ["CAPABILITY_IAM"],
     "Parameters": [{"ParameterKey": "a", "UsePreviousValue": True}],
     "RollbackConfiguration": {"RollbackTriggers": [{"Arn": "a", "Type": "b"}]}}),
    ("lambda", "CreateFunction", "rest-json", function(MemorySize=128)),
    ("lambda", "Invoke", "rest-json", {"FunctionName": "x", "Payload": b"{}", "InvocationType": "Event"}),
    ("apigateway", "PutIntegration", "rest-json", {"restApiId": "a", "resourceId": "b", "httpMethod": "GET",
     "type": "AWS", "timeoutInMillis": 3}),
    ("cloudwatch", "PutMetricAlarm", "json", {"AlarmName": "x", "EvaluationPeriods": 1}),
    ("ssm", "PutParameter", "json", {"Name": "a", "Value": "b", "Type": "String"}),
]  # fmt: skip


@pytest.mark.parametrize(("service", "operation", "protocol", "members"), REQUESTS)
def test_what_botocore_writes_is_read_back(
    service: str, operation: str, protocol: str, members: dict[str, Any]
) -> None:
    model = wire.model_of(service)
    sent = create_serializer(protocol, False).serialize_to_request(members, model.operation_model(operation))
    body = urlencode(sent["body"]) if isinstance(sent["body"], dict) else sent["body"]
    body = body.encode() if isinstance(body, str) else body
    headers = {name.lower(): value for name, value in sent["headers"].items()}
    path = unquote(sent["url_path"].partition("?")[0])
    query = {name: [value] for name, value in dict(sent["query_string"] or {}).items()}
    request = wire.HttpRequest(method=sent["method"], path=path, headers=headers, body=body, query=query)
    assert wire.operation_of(model, request) == operation
    assert wire.decode(model, operation, request) == members


BY_PATH = sorted(
    name
    for name in {name for name, _ in request_checks.SERVICES.values()}
    if wire.model_of(name).metadata["protocol"].startswith("rest")
)


@pytest.mark.parametrize("service", BY_PATH)
def test_no_path_is_taken_for_another_operation_s(service: str) -> None:
    model = wire.model_of(service)
    for name in model.operation_names:
        http = model.operation_model(name).http
        path, _, marks = http["requestUri"].partition("?")
        path = re.sub(r"\{\w+\+?\}", "some", path)
        query = {key: [value] for key, value in parse_qsl(marks, keep_blank_values=True)}
        request = wire.HttpRequest(method=http["method"], path=path, headers={}, body=b"", query=query)
        assert wire.operation_of(model, request) == name


def test_a_name_is_as_long_and_made_of_what_the_model_says() -> None:
    assert refused("iam", "CreateRole", RoleName="a b", AssumeRolePolicyDocument="{}") == "ValidationError"
    assert refused("iam", "CreateRole", RoleName="r" * 65, AssumeRolePolicyDocument="{}") == "ValidationError"
    assert refused("logs", "CreateLogGroup", logGroupName="a b") == "InvalidParameterException"
    assert refused("ecr", "CreateRepository", repositoryName="A") == "InvalidParameterException"
    assert refused("events", "PutRule", Name="a b") == "ValidationException"
    assert refused("sns", "CreateTopic", Name="a b") == "InvalidParameter"
    assert refused("ssm", "PutParameter", Name="a b", Value="x", Type="String") == "ValidationException"
    assert refused("ssm", "PutParameter", Name="a", Value="x", Type="Text") == "ValidationException"
    assert refused("lambda", "CreateFunction", **function(FunctionName="f" * 65)) == "ValidationException"
    request_checks.check("iam", "CreateRole", {"RoleName": "r" * 64, "AssumeRolePolicyDocument": "{}"})


def test_a_refusal_is_in_the_form_the_service_answers_in() -> None:
    headers = {"content-type": "application/x-www-form-urlencoded"}
    body = urlencode({"Action": "CreateRole", "RoleName": "a b", "AssumeRolePolicyDocument": "{}"}).encode()
    answer = request_checks.refusal(Request.of("iam", "POST", "/", headers, body, {}))
    assert answer is not None
    assert answer[0] == 400
    assert b"<Code>ValidationError</Code>" in answer[2]


def test_what_is_sent_in_a_stream_is_left_alone() -> None:
    headers = {"x-amz-target": "Logs_20140328.PutLogEvents"}
    assert request_checks.refusal(Request.of("logs", "POST", "/", headers, b"{}", {})) is None


def test_a_resource_of_a_stack_is_checked_as_its_operation_is() -> None:
    with pytest.raises(AwsError, match="roleName"):
        request_checks.check_properties("AWS::IAM::Role", {"RoleName": "a b"})
    with pytest.raises(AwsError, match="memorySize"):
        request_checks.check_properties("AWS::Lambda::Function", {"MemorySize": "64"})
    with pytest.raises(AwsError, match="logGroupName"):
        request_checks.check_properties("AWS::Logs::LogGroup", {"LogGroupName": "a b"})
    missing = {"ManagedPolicyArns": ["arn:aws:iam::aws:policy/NoSuchThing"]}
    with pytest.raises(AwsError, match="does not exist or is not attachable"):
        request_checks.check_properties("AWS::IAM::Role", missing)
    request_checks.check_properties("AWS::IAM::Role", {"AssumeRolePolicyDocument": {"Statement": []}})


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"Environment": {"Variables": {"AB": "x" * 4096}}}, "InvalidParameterValueException"),
        ({"Environment": {"Variables": {"AWS_REGION": "x"}}}, "InvalidParameterValueException"),
        ({"MemorySize": 64}, "ValidationException"),
        ({"MemorySize": 10_241}, "ValidationException"),
        ({"Timeout": 901}, "ValidationException"),
        (
            {"Layers": ["arn:aws:lambda:us-east-1:000000000000:layer:l:1"] * 6},
            "InvalidParameterValueException",
        ),
    ],
)
def test_a_function_keeps_to_lambdas_sizes(members: dict[str, Any], code: str) -> None:
    assert refused("lambda", "CreateFunction", **function(**members)) == code


def test_sizes_just_allowed_are_taken() -> None:
    variables = {"Environment": {"Variables": {"AB": "x" * 4094}}}
    request_checks.check("lambda", "CreateFunction", function(MemorySize=10_240, Timeout=900, **variables))
    request_checks.check("lambda", "Invoke", {"FunctionName": "f", "Payload": b"x" * rules.MAX_PAYLOAD})


def test_a_package_above_50_mb_goes_by_s3() -> None:
    too_large = {"ZipFile": "A" * (rules.MAX_ZIP_UPLOAD * 4 // 3 + 8)}
    assert refused("lambda", "CreateFunction", **function(Code=too_large)) == "RequestEntityTooLargeException"


def test_a_role_that_lambda_may_not_assume_is_refused() -> None:
    other = "arn:aws:iam::000000000000:role/jobs"
    assert refused("lambda", "CreateFunction", **function(Role=other)) == "InvalidParameterValueException"
    request_checks.check("lambda", "CreateFunction", function())


def test_an_event_for_a_function_is_6_mb_at_most_and_1_mb_for_later() -> None:
    large = b"x" * (rules.MAX_PAYLOAD + 1)
    assert refused("lambda", "Invoke", FunctionName="f", Payload=large) == "RequestTooLargeException"
    later = {"InvocationType": "Event", "Payload": b"x" * (rules.MAX_ASYNC_PAYLOAD + 1)}
    assert refused("lambda", "Invoke", FunctionName="f", **later) == "RequestTooLargeException"


def test_a_rule_goes_after_its_targets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(eventbridge, "_targets", {eventbridge._rule_key("r", "default"): [{"Id": "1"}]})
    assert refused("events", "DeleteRule", Name="r") == "ValidationException"
    request_checks.check("events", "DeleteRule", {"Name": "other"})


def test_a_policy_that_does_not_exist_is_not_attached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iam, "_aws_managed_policies", dict(iam._aws_managed_policies))
    managed_policies.install()
    for missing in ("arn:aws:iam::aws:policy/NoSuchThing", "arn:aws:iam::000000000000:policy/none"):
        code = refused("iam", "AttachRolePolicy", RoleName="jobs", PolicyArn=missing)
        assert code == "NoSuchEntity"
    full = "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"
    request_checks.check("iam", "AttachRolePolicy", {"RoleName": "jobs", "PolicyArn": full})
    record = iam._aws_managed_policies[full]
    document = json.loads(record["Versions"][record["DefaultVersionId"]]["Document"])
    allowed = [statement.get("Action") for statement in document["Statement"]]
    assert any("sagemaker:*" in actions for actions in allowed)


def test_an_integration_waits_29_seconds_at_most() -> None:
    put = {"restApiId": "a", "resourceId": "b", "httpMethod": "GET", "type": "AWS"}
    assert refused("apigateway", "PutIntegration", **put, timeoutInMillis=29_001) == "BadRequestException"
    request_checks.check("apigateway", "PutIntegration", {**put, "timeoutInMillis": 29_000})


def test_a_parameter_holds_4_kb() -> None:
    put = {"Name": "p", "Type": "String"}
    assert refused("ssm", "PutParameter", **put, Value="x" * 4097) == "ValidationException"
    request_checks.check("ssm", "PutParameter", {**put, "Value": "x" * 4096})


def test_an_alarms_period_is_whole_minutes_or_a_short_one() -> None:
    alarm = {"AlarmName": "a", "EvaluationPeriods": 1, "ComparisonOperator": "LessThanThreshold"}
    assert refused("monitoring", "PutMetricAlarm", **alarm, Period=61) == "ValidationError"
    request_checks.check("monitoring", "PutMetricAlarm", {**alarm, "Period": 10})


def test_an_api_takes_10_mb_and_its_function_6() -> None:
    async def inner(*_: Any, **__: Any) -> Any:
        return "reached"

    execute, call = partial(payloads.bounded_body, inner), partial(payloads.bounded_event, inner)
    too_large = b"x" * (payloads.MAX_API_BODY + 1)
    assert asyncio.run(execute("a", "live", "POST", "/", {}, too_large, {}))[0] == 413
    assert asyncio.run(execute("a", "live", "POST", "/", {}, too_large[1:], {})) == "reached"
    result, _ = asyncio.run(call("f", {"body": "x" * (rules.MAX_PAYLOAD + 1)}))
    assert result["body"]["statusCode"] == 413
    assert asyncio.run(call("f", {"body": "x"})) == "reached"


@pytest.mark.parametrize(
    ("headers", "binary", "whole"),
    [
        ({}, ["*/*"], True),
        ({"content-type": ""}, ["application/json"], True),
        ({}, ["image/*"], False),
        ({}, [], False),
        ({"content-type": "image/png"}, ["*/*"], True),
        ({"content-type": "text/plain"}, ["image/*"], False),
    ],
)
def test_a_body_without_a_content_type_counts_as_json(
    headers: dict[str, str], binary: list[str], whole: bool
) -> None:
    picture = bytes(range(256))
    build = partial(payloads.untyped_body, apigateway_v1._build_lambda_event_v1)
    place = ("api", "live", {}, {"path": "/", "id": "r"}, "/", "POST")
    event = build(*place, headers, picture, {}, {}, binary_media_types=binary)
    assert event["isBase64Encoded"] is whole
    assert (whole and base64.b64decode(event["body"]) == picture) or "\ufffd" in event["body"]
    assert event["headers"] == headers


def test_who_waits_for_longer_than_the_integration_is_told_so() -> None:
    async def slow(_integration: Any) -> None:
        await asyncio.Event().wait()

    answer = asyncio.run(payloads.bounded_time(slow, {"timeoutInMillis": 50}))
    assert answer.response_type == "INTEGRATION_TIMEOUT"


def test_a_function_that_returns_too_much_has_failed() -> None:
    def returning(payload: Any) -> Any:
        return payloads.bounded_response(lambda *_: {"body": payload}, {}, {})

    assert returning({"body": "x" * payloads.MAX_RESPONSE})["body"]["errorType"] == (
        "Function.ResponseSizeTooLarge"
    )
    assert returning({"body": "x"}) == {"body": {"body": "x"}}


@pytest.mark.parametrize(
    ("actions", "there", "logged"),
    [
        (("logs:CreateLogStream", "logs:PutLogEvents"), False, False),  # as our templates grant it
        (("logs:CreateLogStream", "logs:PutLogEvents"), True, True),
        (("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"), False, True),
        (("logs:CreateLogGroup",), False, False),
        ((), True, False),
    ],
)
def test_a_function_logs_what_its_role_may_and_makes_no_group_again_that_it_may_not(
    monkeypatch: pytest.MonkeyPatch, actions: tuple[str, ...], there: bool, logged: bool
) -> None:
    group = {"arn": "arn:f", "streams": {}, "subscriptionFilters": {}}
    monkeypatch.setattr(cloudwatch_logs, "_log_groups", {"/aws/lambda/f": group} if there else {})
    monkeypatch.setattr(lambda_svc, "_emit_lambda_logs", lambda_svc._emit_lambda_logs)
    function_logs.install()
    resource = "arn:aws:logs:us-east-1:000000000000:log-group:/aws/lambda/f:*"
    statement = {"Effect": "Allow", "Action": [*actions, "s3:GetObject"], "Resource": resource}
    roles = AccountScopedDict()
    roles["lambda"] = {"Arn": ROLE, "InlinePolicies": {"p": json.dumps({"Statement": [statement]})}}
    monkeypatch.setattr(iam, "_roles", roles)
    lambda_svc._emit_lambda_logs(function(), "request", "", error=False, duration_ms=1)
    streams = cloudwatch_logs._log_groups.get("/aws/lambda/f", {}).get("streams", {})
    assert bool(streams) == logged
    assert ("/aws/lambda/f" in cloudwatch_logs._log_groups) == (there or logged)


def test_a_key_has_1024_bytes_and_its_metadata_2_kb() -> None:
    assert objects.refusal(Request.of("s3", "PUT", "/b/" + "k" * 1024, {}, b"", {})) is None
    answer = objects.refusal(Request.of("s3", "PUT", "/b/" + "ä" * 513, {}, b"", {}))
    assert answer is not None
    assert b"KeyTooLongError" in answer[2]
    metadata = {"x-amz-meta-a": "x" * 2047}
    assert objects.refusal(Request.of("s3", "PUT", "/b/k", metadata, b"", {})) is None
    answer = objects.refusal(Request.of("s3", "PUT", "/b/k", {**metadata, "x-amz-meta-b": ""}, b"", {}))
    assert answer is not None
    assert b"MetadataTooLarge" in answer[2]
