"""The custom resources: CloudFormation is always answered, and a deploy never resets the champion."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request

import pytest

from functions.champion_parameter.handler import handler as champion_parameter
from functions.common import custom_resource
from functions.empty_registry.handler import handler as empty_registry
from tests.unit.lambda_functions.fakes import NOW, AwsFailure, Context, World, package_arn


class Answered:
    """A stand-in for `urlopen` that keeps what was put."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def __call__(self, request: Request, timeout: float) -> Answered:
        self.requests.append(request)
        return self

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def body(self) -> dict[str, Any]:
        (request,) = self.requests
        assert request.method == "PUT"
        assert request.full_url == "https://cloudformation.example/answer"
        # Without one urllib would add its own, and the signed URL allows only the empty content type.
        assert request.get_header("Content-type") == ""
        data = request.data
        assert isinstance(data, bytes)
        body: dict[str, Any] = json.loads(data)
        self.requests.clear()
        return body


@pytest.fixture
def answered(monkeypatch: pytest.MonkeyPatch) -> Answered:
    answered = Answered()
    monkeypatch.setattr(custom_resource, "urlopen", answered)
    return answered


def event(kind: str, physical_id: str = "/demo/champion", **properties: str) -> dict[str, Any]:
    return {
        "RequestType": kind,
        "ResponseURL": "https://cloudformation.example/answer",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Champion",
        "ResourceProperties": properties or {"ParameterName": "/demo/champion"},
        **({"PhysicalResourceId": physical_id} if kind != "Create" else {}),
    }


def test_the_parameter_is_made_with_none_when_it_is_missing(world: World, answered: Answered) -> None:
    world.ssm.history.clear()
    champion_parameter(event("Create"), Context())
    assert world.ssm.value("/demo/champion") == "none"
    assert answered.body() == {
        "Status": "SUCCESS",
        "Reason": "done",
        "PhysicalResourceId": "/demo/champion",
        "StackId": "stack",
        "RequestId": "request",
        "LogicalResourceId": "Champion",
    }


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_a_deploy_never_resets_the_champion(world: World, answered: Answered, kind: str) -> None:
    world.ssm._put({"Name": "/demo/champion", "Value": package_arn(7), "Overwrite": True})
    champion_parameter(event(kind), Context())
    assert world.ssm.value("/demo/champion") == package_arn(7)
    assert answered.body()["Status"] == "SUCCESS"


def allowing(kind: str, types: str) -> dict[str, Any]:
    return event(kind, "/demo/instance-type", ParameterName="/demo/instance-type", Allowed=types)


def test_the_instance_type_begins_with_the_first_choice_and_is_kept_while_it_is_allowed(
    world: World, answered: Answered
) -> None:
    champion_parameter(allowing("Create", "ml.c7i.large,ml.m5.large"), Context())
    assert world.ssm.value("/demo/instance-type") == "ml.c7i.large"
    world.ssm._put({"Name": "/demo/instance-type", "Value": "ml.m5.large", "Overwrite": True})
    champion_parameter(allowing("Update", "ml.c6i.large,ml.c7i.large,ml.m5.large"), Context())
    assert world.ssm.value("/demo/instance-type") == "ml.m5.large"
    champion_parameter(allowing("Update", "ml.c6i.large"), Context())
    assert world.ssm.value("/demo/instance-type") == "ml.c6i.large"
    assert len(answered.requests) == 3


def test_the_parameter_goes_with_its_stack_and_a_second_delete_is_no_failure(
    world: World, answered: Answered
) -> None:
    for _ in range(2):
        champion_parameter(event("Delete"), Context())
        assert answered.body()["Status"] == "SUCCESS"
    assert not world.ssm.history


def test_the_delete_of_an_old_name_leaves_the_new_parameter_alone(world: World, answered: Answered) -> None:
    champion_parameter(event("Delete", "/old/champion"), Context())
    assert world.ssm.value("/demo/champion") == "none"
    assert answered.body()["PhysicalResourceId"] == "/old/champion"


def test_the_delete_of_a_create_that_failed_deletes_nothing(world: World, answered: Answered) -> None:
    champion_parameter(event("Delete", "2026/11/20/[$LATEST]abc"), Context())
    assert not world.ssm.called("DeleteParameter")
    assert answered.body()["Status"] == "SUCCESS"


def test_a_failure_is_answered_with_its_words_instead_of_an_hour_of_silence(
    world: World, answered: Answered
) -> None:
    def denied(_: dict[str, Any]) -> dict[str, Any]:
        raise AwsFailure("AccessDeniedException", "not authorized to perform: ssm:PutParameter")

    world.ssm.on["PutParameter"] = denied
    champion_parameter(event("Create"), Context())
    body = answered.body()
    assert body["Status"] == "FAILED"
    assert "ssm:PutParameter" in body["Reason"]


def test_the_registry_is_emptied_only_when_its_stack_goes(world: World, answered: Answered) -> None:
    for version in (1, 2):
        world.sagemaker.packages[package_arn(version)] = {
            "ModelPackageArn": package_arn(version),
            "ModelPackageGroupName": "demo",
            "CreationTime": NOW,
        }
    for kind in ("Create", "Update"):
        empty_registry(event(kind, "demo", ModelPackageGroupName="demo"), Context())
        assert answered.body()["PhysicalResourceId"] == "demo"
    assert len(world.sagemaker.packages) == 2
    empty_registry(event("Delete", "demo", ModelPackageGroupName="demo"), Context())
    assert answered.body()["Status"] == "SUCCESS"
    assert not world.sagemaker.packages


def test_a_registry_that_is_gone_already_is_no_failure(world: World, answered: Answered) -> None:
    def gone(_: dict[str, Any]) -> dict[str, Any]:
        raise AwsFailure("ValidationException", "ModelPackageGroup demo does not exist.")

    world.sagemaker.on["ListModelPackages"] = gone
    empty_registry(event("Delete", "demo", ModelPackageGroupName="demo"), Context())
    assert answered.body()["Status"] == "SUCCESS"
