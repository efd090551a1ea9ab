"""The account's role for API Gateway's logs: made where there is none, never replaced, never taken away."""

from __future__ import annotations

import json
from typing import Any

import pytest

from functions.api_log_role import role as module
from functions.api_log_role.handler import handler
from tests.unit.lambda_functions.fakes import ACCOUNT, AwsFailure, Context, Fake, World
from tests.unit.lambda_functions.test_custom_resources import Answered, answered, event

__all__ = ["answered"]  # the fixture

NAME = "api-gateway-logs-us-east-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{NAME}"
POLICY = "arn:aws:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs"
THEIRS = f"arn:aws:iam::{ACCOUNT}:role/theirs"


class FakeGateway(Fake):
    """The one account of a region."""

    service = "apigateway"

    def __init__(self, role: str | None) -> None:
        super().__init__()
        self.role = role
        self.on = {"GetAccount": self._get, "UpdateAccount": self._update}

    def _get(self, _: dict[str, Any]) -> dict[str, Any]:
        return {"cloudwatchRoleArn": self.role} if self.role else {}

    def _update(self, params: dict[str, Any]) -> dict[str, Any]:
        (operation,) = params["patchOperations"]
        assert (operation["op"], operation["path"]) == ("replace", "/cloudwatchRoleArn")
        self.role = operation["value"]
        return self._get({})


class FakeIam(Fake):
    """Roles, and what is attached to them."""

    service = "iam"

    def __init__(self) -> None:
        super().__init__()
        self.roles: dict[str, dict[str, Any]] = {}
        self.on = {"CreateRole": self._create, "GetRole": self._role, "AttachRolePolicy": self._attach}

    def _create(self, params: dict[str, Any]) -> dict[str, Any]:
        if params["RoleName"] in self.roles:
            raise AwsFailure("EntityAlreadyExists", "Role with that name already exists.", 409)
        self.roles[params["RoleName"]] = {
            "trust": json.loads(params["AssumeRolePolicyDocument"]),
            "has": set(),
        }
        return self._role(params)

    def _role(self, params: dict[str, Any]) -> dict[str, Any]:
        return {"Role": {"Arn": f"arn:aws:iam::{ACCOUNT}:role/{params['RoleName']}"}}

    def _attach(self, params: dict[str, Any]) -> dict[str, Any]:
        self.roles[params["RoleName"]]["has"].add(params["PolicyArn"])
        return {}


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(module.time, "sleep", slept.append)
    return slept


def account(world: World, role: str | None = None) -> tuple[FakeGateway, FakeIam]:
    gateway, iam = FakeGateway(role), FakeIam()
    world.others |= {"apigateway": gateway, "iam": iam}
    return gateway, iam


def told(kind: str, name: str = NAME) -> dict[str, Any]:
    return event(kind, name, RoleName=name, PolicyArn=POLICY)


def test_an_account_without_a_role_gets_one_that_may_write_logs_and_no_more(
    world: World, answered: Answered
) -> None:
    gateway, iam = account(world)
    handler(told("Create"), Context())
    assert (answered.body()["Status"], gateway.role) == ("SUCCESS", ROLE)
    ((name, made),) = iam.roles.items()
    (statement,) = made["trust"]["Statement"]
    assert (name, made["has"]) == (NAME, {POLICY})
    assert statement["Principal"] == {"Service": "apigateway.amazonaws.com"}


@pytest.mark.parametrize("kind", ["Create", "Update", "Delete"])
def test_the_role_that_an_account_has_is_never_replaced(world: World, answered: Answered, kind: str) -> None:
    gateway, iam = account(world, THEIRS)
    handler(told(kind), Context())
    assert (answered.body()["Status"], gateway.role) == ("SUCCESS", THEIRS)
    assert not gateway.called("UpdateAccount")
    assert not iam.calls


def test_the_same_event_twice_changes_nothing_the_second_time(world: World, answered: Answered) -> None:
    gateway, iam = account(world)
    for _ in range(2):
        handler(told("Create"), Context())
        assert answered.body()["PhysicalResourceId"] == NAME
    assert len(gateway.called("UpdateAccount")) == len(iam.called("CreateRole")) == 1


def test_a_second_event_between_role_and_setting_uses_the_role_that_is_there(
    world: World, answered: Answered
) -> None:
    gateway, iam = account(world)
    iam._create({"RoleName": NAME, "AssumeRolePolicyDocument": json.dumps(module.TRUST)})
    handler(told("Create"), Context())
    assert (answered.body()["Status"], gateway.role) == ("SUCCESS", ROLE)
    assert iam.roles[NAME]["has"] == {POLICY}


def test_destroying_a_stack_takes_logging_from_nobody(world: World, answered: Answered) -> None:
    gateway, iam = account(world)
    handler(told("Create"), Context())
    answered.body()
    handler(told("Delete"), Context())
    assert answered.body()["Status"] == "SUCCESS"
    assert gateway.role == ROLE
    assert set(iam.roles) == {NAME}


def test_a_role_that_iam_has_not_spread_yet_is_tried_again(
    world: World, answered: Answered, waits: list[float]
) -> None:
    gateway, _ = account(world)
    accept = gateway.on["UpdateAccount"]

    def not_yet(params: dict[str, Any]) -> dict[str, Any]:
        if len(gateway.called("UpdateAccount")) < 3:
            raise AwsFailure("BadRequestException", "The role ARN does not have required permissions")
        return accept(params)

    gateway.on["UpdateAccount"] = not_yet
    handler(told("Create"), Context())
    assert (answered.body()["Status"], gateway.role, len(waits)) == ("SUCCESS", ROLE, 2)


def test_a_role_that_somebody_sets_while_ours_is_tried_stays(
    world: World, answered: Answered, waits: list[float]
) -> None:
    gateway, _ = account(world)

    def meanwhile(_: dict[str, Any]) -> dict[str, Any]:
        gateway.role = THEIRS
        raise AwsFailure("TooManyRequestsException", "Too Many Requests", 429)

    gateway.on["UpdateAccount"] = meanwhile
    handler(told("Create"), Context())
    assert (answered.body()["Status"], gateway.role) == ("SUCCESS", THEIRS)


def test_a_role_that_is_never_taken_is_answered_with_aws_s_words(
    world: World, answered: Answered, waits: list[float]
) -> None:
    gateway, _ = account(world)

    def refuse(_: dict[str, Any]) -> dict[str, Any]:
        raise AwsFailure("BadRequestException", "could not successfully write to CloudWatch Logs")

    gateway.on["UpdateAccount"] = refuse
    handler(told("Create"), Context())
    body = answered.body()
    assert (body["Status"], gateway.role) == ("FAILED", None)
    assert "could not successfully write" in body["Reason"]
    # With room before CloudFormation's function is stopped: stacks/api/log_role.py gives it 180 seconds.
    assert sum(waits) <= 120
