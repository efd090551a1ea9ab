"""promote-model: what is not the model's fault leaves it Approved and waiting, and it goes on by itself."""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

import pytest

from contract.waiting import MOST_TRIES, Cause
from functions.common import champion as decisions
from functions.promote_model import causes
from functions.promote_model.handler import handler
from tests.unit.lambda_functions.fakes import NOW, AwsFailure, Context, World, sagemaker_event
from tests.unit.lambda_functions.test_promote_model import (
    ONE,
    TWO,
    FakeServing,
    approve,
    champion,
    settled,
    stack,
)

__all__ = ["stack"]  # a fixture

FIRST, SECOND, LAST = "ml.c7i.large", "ml.m5.large", "ml.t2.medium"
OVER = (
    "The account-level service limit 'ml.c7i.large for endpoint usage' is 0 Instances, with current "
    "utilization of 0 Instances and a request delta of 1 Instances. (Service: AmazonSageMaker; Status Code: "
    "400; Error Code: ResourceLimitExceeded; Request ID: dee8f280-204c-4c1e-8e44-ce39d51af947; Proxy: null)"
)
EMPTY = (
    "Unable to provision requested ML compute capacity due to InsufficientInstanceCapacity error. Please "
    "retry using a different ML instance type or after some time."
)
PULL = "The role 'arn:aws:iam::1:role/x' does not have BatchGetImage permission for the image: 'x'."
PING = "The primary container for production variant main did not pass the ping health check."

# As CloudFormation's newer handlers quote a service: without its code, and with a class that tells nothing.
NO_CODE = (
    '(Service: SageMaker, Status Code: 400, Request ID: 1-2) (SDK Attempt Count: 1)" (RequestToken: 3-4, '
    "HandlerErrorCode: GeneralServiceException)"
)


@pytest.fixture
def types(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """An endpoint that may run on any of three types; nothing is known of the account's quotas."""
    monkeypatch.setenv("INSTANCE_TYPES", f"{FIRST},{SECOND},{LAST}")
    monkeypatch.setenv("INSTANCE_TYPE_PARAMETER", "/demo/instance-type")
    world.ssm._put({"Name": "/demo/instance-type", "Value": FIRST})
    return world


@pytest.fixture(autouse=True)
def a_moment_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is due."""
    now(monkeypatch, timedelta(seconds=1))


def waits(world: World) -> Any:
    return decisions.current("/demo/champion").waits


def approval(world: World, arn: str) -> str:
    return str(world.sagemaker.packages[arn]["ModelApprovalStatus"])


def now(monkeypatch: pytest.MonkeyPatch, later: timedelta) -> None:
    """So long after the parameter was written."""
    at = (NOW - timedelta(days=1) + later).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    monkeypatch.setattr(decisions, "now", lambda: at)


def ask(action: str) -> dict[str, Any]:
    return handler({"action": action}, Context())


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (OVER, Cause.QUOTA),
        ('Resource handler returned message: "no" (HandlerErrorCode: ServiceLimitExceeded)', Cause.QUOTA),
        (EMPTY, Cause.CAPACITY),
        ("CapacityError: Unable to provision requested ML compute capacity.", Cause.CAPACITY),
        (PULL, Cause.IMAGE),
        ("The repository of your image x does not grant ecr:BatchGetImage permission", Cause.IMAGE),
        ("Requested image 1.dkr.ecr.us-east-1.amazonaws.com/x:1 not found.", Cause.IMAGE),
        ("no (Service: Sts; Status Code: 403; Error Code: AccessDenied; Proxy: null)", Cause.PERMISSION),
        ("Rate exceeded (Service: SageMaker; Error Code: ThrottlingException)", Cause.SERVICE),
        (f"{OVER.partition('(Service')[0]}{NO_CODE}", Cause.QUOTA),
        (
            f"User: arn:x is not authorized to perform: sagemaker:CreateEndpoint on y {NO_CODE}",
            Cause.PERMISSION,
        ),
        (f"Rate exceeded {NO_CODE}", Cause.SERVICE),
        (f"The primary container did not pass the ping health check. {NO_CODE}", Cause.MODEL),
        (PING, Cause.MODEL),
        ("Alarm(s) demo-endpoint-errors went off", Cause.MODEL),
        ("", Cause.MODEL),
    ],
)
def test_aws_codes_tell_whose_fault_a_failure_is(reason: str, cause: Cause) -> None:
    assert causes.of(reason) is cause


@pytest.mark.parametrize(("reason", "cause"), [(OVER, "quota"), (EMPTY, "capacity"), (PULL, "image")])
def test_what_is_not_the_models_fault_leaves_it_approved_and_waiting(
    world: World, stack: FakeServing, reason: str, cause: str
) -> None:
    approve(ONE, 1)
    stack.roll_back(f"Endpoint: {reason}")
    settled()
    settled()
    assert approval(world, ONE) == "Approved"
    assert (waits(world).package, waits(world).cause, waits(world).tries) == (ONE, cause, 1)
    assert champion(world) == "none"
    assert len(world.sns.mails) == 1
    assert len(stack.called("UpdateStack")) == 1


def test_a_model_that_does_not_answer_is_still_rejected(world: World, stack: FakeServing) -> None:
    approve(ONE, 1)
    stack.roll_back(PING)
    settled()
    assert approval(world, ONE) == "Rejected"
    assert waits(world) is None


def test_the_champion_serves_on_while_the_next_one_waits(world: World, stack: FakeServing) -> None:
    approve(ONE, 1)
    stack.succeed()
    settled()
    approve(TWO, 2)
    stack.roll_back(OVER)
    settled()
    assert champion(world) == ONE == stack.serving
    assert waits(world).package == TWO
    assert "twice" in world.sns.mails[-1]["Message"]


def test_it_goes_on_by_itself_when_it_is_due_and_no_sooner(
    world: World, stack: FakeServing, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(ONE, 1)
    stack.roll_back(EMPTY)
    settled()
    now(monkeypatch, timedelta(minutes=14))
    handler({}, Context())
    assert champion(world) == "none"
    now(monkeypatch, timedelta(minutes=16))
    handler({}, Context())
    assert champion(world) == ONE
    stack.succeed()
    settled()
    assert waits(world) is None
    assert approval(world, ONE) == "Approved"


def test_it_is_not_tried_for_ever(world: World, stack: FakeServing, monkeypatch: pytest.MonkeyPatch) -> None:
    approve(ONE, 1)
    now(monkeypatch, timedelta(days=2))
    for _ in range(2 * MOST_TRIES + 5):
        if stack.status == "UPDATE_IN_PROGRESS":
            stack.roll_back(EMPTY)
        settled()
    assert waits(world).tries == MOST_TRIES
    assert len(stack.called("UpdateStack")) == MOST_TRIES
    assert len(world.sns.mails) == 1
    assert ask("retry")["statusCode"] == 200
    assert champion(world) == ONE


def test_one_command_goes_on_at_once(world: World, stack: FakeServing) -> None:
    assert ask("retry")["statusCode"] == 409
    approve(ONE, 1)
    stack.roll_back(PULL)
    settled()
    assert ask("retry")["statusCode"] == 200
    stack.succeed()
    settled()
    assert champion(world) == ONE == stack.serving


def test_a_newer_approval_takes_the_place_of_what_waits(world: World, stack: FakeServing) -> None:
    approve(ONE, 1)
    stack.roll_back(OVER)
    settled()
    approve(TWO, 2)
    stack.succeed()
    settled()
    assert (champion(world), waits(world)) == (TWO, None)
    approve(ONE, 1)  # the first approval's event once more
    assert champion(world) == TWO


def test_what_waits_and_was_rejected_since_is_forgotten(
    world: World, stack: FakeServing, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(ONE, 1)
    stack.roll_back(OVER)
    settled()
    world.sagemaker.packages[ONE]["ModelApprovalStatus"] = "Rejected"
    now(monkeypatch, timedelta(hours=1))
    handler({}, Context())
    assert (champion(world), waits(world)) == ("none", None)


def test_what_waits_waits_on_while_the_champion_sleeps(world: World, stack: FakeServing) -> None:
    approve(ONE, 1)
    stack.succeed()
    approve(TWO, 2)
    stack.roll_back(OVER)
    settled()
    ask("sleep")
    stack.succeed()
    settled()
    assert (champion(world), waits(world).package) == ("none", TWO)


def test_the_next_type_is_taken_when_aws_has_none_of_the_first(types: World, stack: FakeServing) -> None:
    approve(ONE, 1)
    assert types.ssm.value("/demo/instance-type") == FIRST
    stack.roll_back(OVER)
    settled()
    assert types.ssm.value("/demo/instance-type") == SECOND
    stack.roll_back(EMPTY)
    settled()
    assert types.ssm.value("/demo/instance-type") == LAST
    stack.succeed()
    settled()
    assert (champion(types), stack.serving, waits(types)) == (ONE, ONE, None)
    tokens = [each["ClientRequestToken"] for each in stack.called("UpdateStack")]
    assert len(set(tokens)) == 3


def test_it_waits_when_aws_has_none_of_any_type_and_begins_with_the_first_again(
    types: World, stack: FakeServing
) -> None:
    approve(ONE, 1)
    for _ in range(3):
        stack.roll_back(EMPTY)
        settled()
    assert waits(types).package == ONE
    assert approval(types, ONE) == "Approved"
    ask("retry")
    assert types.ssm.value("/demo/instance-type") == FIRST


def test_a_type_without_a_quota_is_passed_over_without_a_try(types: World, stack: FakeServing) -> None:
    quotas = types.service_quotas
    quotas.defaults = {f"{each} for endpoint usage": 0 for each in (FIRST, SECOND, LAST)}
    quotas.applied = {f"{LAST} for endpoint usage": 2}
    approve(ONE, 1)
    assert types.ssm.value("/demo/instance-type") == LAST
    assert len(stack.called("UpdateStack")) == 1


def test_with_no_quota_at_all_nothing_is_tried_until_it_is_granted(
    types: World, stack: FakeServing, monkeypatch: pytest.MonkeyPatch
) -> None:
    quotas = types.service_quotas
    quotas.defaults = {f"{each} for endpoint usage": 0 for each in (FIRST, SECOND, LAST)}
    approve(ONE, 1)
    assert (waits(types).package, waits(types).cause) == (ONE, "quota")
    now(monkeypatch, timedelta(days=1))
    for _ in range(20):
        handler({}, Context())
    assert not stack.called("UpdateStack")
    assert waits(types).tries == 1
    quotas.applied = {f"{SECOND} for endpoint usage": 2}
    handler({}, Context())
    assert types.ssm.value("/demo/instance-type") == SECOND
    assert len(stack.called("UpdateStack")) == 1


def test_without_instances_a_quota_in_the_way_is_tried_again_when_it_is_due(
    world: World, stack: FakeServing, monkeypatch: pytest.MonkeyPatch
) -> None:
    approve(ONE, 1)
    stack.succeed()
    settled()
    approve(TWO, 2)
    stack.roll_back(OVER)
    settled()
    assert (waits(world).package, waits(world).cause) == (TWO, "quota")
    now(monkeypatch, timedelta(minutes=16))
    handler({}, Context())
    assert champion(world) == TWO


def test_where_quotas_may_not_be_looked_up_it_is_found_by_trying(types: World, stack: FakeServing) -> None:
    def denied(_: dict[str, Any]) -> dict[str, Any]:
        raise AwsFailure("AccessDeniedException", "not authorized")

    types.service_quotas.on = dict.fromkeys(types.service_quotas.on, denied)
    approve(ONE, 1)
    stack.roll_back(OVER)
    settled()
    assert types.ssm.value("/demo/instance-type") == SECOND


def test_an_endpoint_that_serves_keeps_its_type(types: World, stack: FakeServing) -> None:
    approve(ONE, 1)
    stack.succeed()
    settled()
    approve(TWO, 2)
    stack.roll_back(EMPTY)
    settled()
    assert types.ssm.value("/demo/instance-type") == FIRST
    assert waits(types).package == TWO


def test_a_sleeping_model_wakes_on_the_next_type(types: World, stack: FakeServing) -> None:
    approve(ONE, 1)
    stack.succeed()
    settled()
    ask("sleep")
    stack.succeed()
    settled()
    ask("wake")
    stack.roll_back(EMPTY)
    settled()
    assert types.ssm.value("/demo/instance-type") == SECOND
    stack.succeed()
    settled()
    assert champion(types) == ONE == stack.serving


def failed_endpoint(reason: str, name: str = "demo") -> None:
    detail = {"EndpointName": name, "EndpointStatus": "FAILED", "FailureReason": reason}
    event = sagemaker_event("SageMaker Endpoint State Change", detail, time="2026-11-20T12:05:00Z")
    handler(event, Context())


def test_an_endpoint_that_was_accepted_and_failed_later_says_why_itself(
    types: World, stack: FakeServing
) -> None:
    """CloudFormation may only say that it did not stabilise, and removes it."""
    approve(ONE, 1)
    failed_endpoint(EMPTY)
    stack.roll_back("Endpoint: Resource did not stabilize.")
    settled()
    assert types.ssm.value("/demo/instance-type") == SECOND
    failed_endpoint(PULL)
    stack.roll_back("Endpoint: Resource did not stabilize.")
    settled()
    assert (waits(types).cause, approval(types, ONE)) == ("image", "Approved")


def test_what_an_endpoint_said_before_this_update_or_one_of_another_name_counts_for_nothing(
    types: World, stack: FakeServing
) -> None:
    failed_endpoint(EMPTY, "another")
    assert len(types.ssm.history["/demo/instance-type"]) == 1
    failed_endpoint(EMPTY)
    approve(ONE, 1)
    types.ssm.history["/demo/champion"][-1]["LastModifiedDate"] = NOW + timedelta(hours=1)
    stack.roll_back("Endpoint: Resource did not stabilize.")
    settled()
    assert approval(types, ONE) == "Rejected"
