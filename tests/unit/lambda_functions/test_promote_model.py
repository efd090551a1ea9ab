"""promote-model: after any events in any order, registry, champion parameter and endpoint tell one story."""

from __future__ import annotations

import itertools
import json
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from functions.promote_model.handler import handler
from tests.unit.lambda_functions.fakes import (
    NOW,
    AwsFailure,
    Context,
    Fake,
    World,
    package_arn,
    sagemaker_event,
)

KIND = "SageMaker Model Package State Change"
STACK_ID = "arn:aws:cloudformation:us-east-1:000000000000:stack/demo-serving/1"
ONE, TWO, THREE = package_arn(1), package_arn(2), package_arn(3)


class FakeServing(Fake):
    """CloudFormation with the Serving stack: an update reads the champion at its start and ends when told."""

    service = "cloudformation"

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        self.status = "CREATE_COMPLETE"
        self.serving = "none"
        self.coming = ""
        self.events: list[dict[str, Any]] = []
        self.deployed = True
        self.on = {
            "DescribeStacks": self._describe,
            "UpdateStack": self._update,
            "DescribeStackEvents": lambda _: {"StackEvents": list(reversed(self.events))},
        }

    def begin(self, token: str) -> None:
        self.status, self.coming = "UPDATE_IN_PROGRESS", self.world.ssm.value("/demo/champion")
        self._event("UPDATE_IN_PROGRESS", token, "User Initiated")

    def succeed(self) -> None:
        self.status, self.serving = "UPDATE_COMPLETE", self.coming
        self._event("UPDATE_COMPLETE", "")

    def roll_back(self, reason: str = "The primary container did not pass the ping health check.") -> None:
        self._event("UPDATE_FAILED", "", reason, "Endpoint")
        self._event("UPDATE_FAILED", "", "Resource update cancelled", "Other")
        self._event(
            "UPDATE_ROLLBACK_IN_PROGRESS", "", "The following resource(s) failed to update: [Endpoint]."
        )
        self.status = "UPDATE_ROLLBACK_COMPLETE"
        self._event("UPDATE_ROLLBACK_COMPLETE", "")

    def _event(self, status: str, token: str, reason: str = "", resource: str = "") -> None:
        self.events.append(
            {
                "StackId": STACK_ID,
                "EventId": str(len(self.events)),
                "StackName": "demo-serving",
                "LogicalResourceId": resource or "demo-serving",
                "PhysicalResourceId": "" if resource else STACK_ID,
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
                "ClientRequestToken": token,
                "Timestamp": NOW,
            }
        )

    def _describe(self, _: dict[str, Any]) -> dict[str, Any]:
        if not self.deployed:
            raise AwsFailure("ValidationError", "Stack with id demo-serving does not exist")
        stack = {
            "StackName": "demo-serving",
            "StackId": STACK_ID,
            "StackStatus": self.status,
            "Outputs": [{"OutputKey": "Champion", "OutputValue": self.serving}],
            "Parameters": [{"ParameterKey": "ChampionParameter", "ParameterValue": "/demo/champion"}],
            "Capabilities": ["CAPABILITY_IAM"],
        }
        return {"Stacks": [stack]}

    def _update(self, params: dict[str, Any]) -> dict[str, Any]:
        if self.status.endswith("_IN_PROGRESS"):
            message = f"Stack:{STACK_ID} is in {self.status} state and can not be updated."
            raise AwsFailure("ValidationError", message)
        if self.world.ssm.value("/demo/champion") == self.serving:
            raise AwsFailure("ValidationError", "No updates are to be performed.")
        self.begin(params["ClientRequestToken"])
        return {"StackId": STACK_ID}


@pytest.fixture
def stack(world: World) -> FakeServing:
    """The Serving stack as after the first deploy, and three approved versions in the registry."""
    stack = FakeServing(world)
    world.others["cloudformation"] = stack
    for arn in (ONE, TWO, THREE):
        put(world, arn)
    return stack


def put(world: World, arn: str, status: str = "Approved", group: str = "demo") -> None:
    world.sagemaker.packages[arn] = {
        "ModelPackageArn": arn,
        "ModelPackageGroupName": group,
        "ModelPackageStatus": "Completed",
        "ModelApprovalStatus": status,
        "CreationTime": NOW,
    }


def approve(arn: str, minute: int, *, changed: list[str] | None = None) -> dict[str, Any]:
    """Deliver the approval that happened at this minute."""
    detail = {"ModelPackageArn": arn, "ModelPackageGroupName": "demo", "ModelApprovalStatus": "Approved"}
    if changed is not None:
        detail["UpdatedModelPackageFields"] = changed  # type: ignore[assignment]
    return handler(sagemaker_event(KIND, detail, time=f"2026-11-20T12:{minute:02}:00Z"), Context())


def approved_now(arn: str) -> dict[str, Any]:
    """Deliver an approval that is newer than whatever was asked for."""
    detail = {"ModelPackageArn": arn, "ModelPackageGroupName": "demo", "ModelApprovalStatus": "Approved"}
    time = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    return handler(sagemaker_event(KIND, detail, time=time), Context())


def settled() -> dict[str, Any]:
    """Deliver the stack's event; what it says plays no role."""
    event = sagemaker_event("CloudFormation Stack Status Change", {"stack-id": STACK_ID})
    return handler({**event, "source": "aws.cloudformation"}, Context())


def champion(world: World) -> str:
    return world.ssm.value("/demo/champion")


def updates(stack: FakeServing) -> int:
    return len(stack.called("UpdateStack"))


def promoted(stack: FakeServing, arn: str, minute: int) -> None:
    approve(arn, minute)
    stack.succeed()
    settled()
    assert stack.serving == arn


def test_an_approval_makes_the_package_champion_and_updates_the_stack_with_its_own_template(
    world: World, stack: FakeServing
) -> None:
    approve(ONE, 0)
    assert champion(world) == ONE
    (update,) = stack.called("UpdateStack")
    assert update["UsePreviousTemplate"] is True
    assert update["Parameters"] == [{"ParameterKey": "ChampionParameter", "UsePreviousValue": True}]
    assert update["Capabilities"] == ["CAPABILITY_IAM"]
    assert "RoleARN" not in update  # the stack keeps the narrow role it was made with
    stack.succeed()
    assert settled()["did"] == "nothing: champion and endpoint agree"
    assert not world.sns.mails


def test_an_approval_that_is_delivered_twice_updates_the_stack_once(world: World, stack: FakeServing) -> None:
    approve(ONE, 0)
    approve(ONE, 0)
    stack.succeed()
    approve(ONE, 0)
    assert updates(stack) == 1


def test_an_older_approval_delivered_again_does_not_bring_the_old_model_back(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    decisions = len(world.ssm.history["/demo/champion"])
    approve(ONE, 0)
    assert champion(world) == TWO
    assert stack.status == "UPDATE_COMPLETE"
    assert len(world.ssm.history["/demo/champion"]) == decisions  # not even for a moment


@pytest.mark.parametrize("order", list(itertools.permutations([(ONE, 0), (TWO, 1), (THREE, 2)])))
def test_in_whatever_order_approvals_arrive_the_newest_serves_in_the_end(
    world: World, stack: FakeServing, order: tuple[tuple[str, int], ...]
) -> None:
    for arn, minute in order:
        approve(arn, minute)
    while stack.status.endswith("_IN_PROGRESS"):
        stack.succeed()
        settled()
    assert stack.serving == champion(world) == THREE


def test_of_approvals_of_one_second_none_is_lost_and_a_repeated_one_changes_nothing(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 0)
    approve(ONE, 0)
    approve(TWO, 0)
    assert champion(world) == TWO
    assert updates(stack) == 2


def test_an_approval_in_the_second_in_which_the_champion_was_rejected_is_not_lost(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    put(world, TWO, "Rejected")
    reject = {"ModelPackageArn": TWO, "ModelPackageGroupName": "demo", "ModelApprovalStatus": "Rejected"}
    handler(sagemaker_event(KIND, reject, time="2026-11-20T12:02:00Z"), Context())
    assert champion(world) == ONE
    approve(THREE, 2)
    assert champion(world) == THREE


def test_approving_an_old_version_anew_brings_it_back(world: World, stack: FakeServing) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    promoted(stack, ONE, 2)
    assert champion(world) == ONE


def test_a_change_of_a_packages_metadata_is_no_approval(world: World, stack: FakeServing) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    approve(ONE, 5, changed=["CustomerMetadataProperties"])
    assert champion(world) == TWO
    approve(ONE, 6, changed=["ModelApprovalStatus", "ApprovalDescription"])
    assert champion(world) == ONE


def test_a_package_that_was_rejected_since_its_approval_is_not_promoted(
    world: World, stack: FakeServing
) -> None:
    put(world, ONE, "Rejected")
    approve(ONE, 0)
    assert champion(world) == "none"
    assert updates(stack) == 0


def test_a_package_of_another_group_or_none_at_all_is_not_promoted(world: World, stack: FakeServing) -> None:
    foreign = package_arn(1, "other")
    put(world, foreign, group="other")
    for arn in (foreign, package_arn(99), ""):
        approve(arn, 0)
    assert champion(world) == "none"
    assert updates(stack) == 0


def test_a_busy_stack_is_left_alone_and_its_end_brings_the_newest_champion(
    world: World, stack: FakeServing
) -> None:
    approve(ONE, 0)
    assert approve(TWO, 1)["did"] == "nothing: the stack is UPDATE_IN_PROGRESS; its end sends an event"
    assert updates(stack) == 1
    stack.succeed()
    assert settled()["did"] == "update of the Serving stack: started"
    stack.succeed()
    settled()
    assert stack.serving == champion(world) == TWO


def test_a_stack_that_became_busy_in_between_counts_as_busy(world: World, stack: FakeServing) -> None:
    def busy(_: dict[str, Any]) -> dict[str, Any]:
        raise AwsFailure("ValidationError", f"Stack:{STACK_ID} is in UPDATE_IN_PROGRESS state")

    stack.on["UpdateStack"] = busy
    assert approve(ONE, 0)["did"] == "update of the Serving stack: busy"


def test_no_updates_are_to_be_performed_is_success(world: World, stack: FakeServing) -> None:
    def unchanged(_: dict[str, Any]) -> dict[str, Any]:
        raise AwsFailure("ValidationError", "No updates are to be performed.")

    stack.on["UpdateStack"] = unchanged
    assert approve(ONE, 0)["did"] == "update of the Serving stack: unchanged"


def test_another_refusal_of_the_update_is_raised_so_that_the_event_is_retried(
    world: World, stack: FakeServing
) -> None:
    def denied(_: dict[str, Any]) -> dict[str, Any]:
        raise AwsFailure("AccessDenied", "not authorized to perform: cloudformation:UpdateStack", 403)

    stack.on["UpdateStack"] = denied
    with pytest.raises(stack.client.exceptions.ClientError, match="not authorized"):
        approve(ONE, 0)


def test_a_rolled_back_promotion_takes_the_champion_back_and_rejects_the_package_with_the_reason(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    approve(TWO, 1)
    stack.roll_back()
    settled()
    assert champion(world) == stack.serving == ONE
    rejected = world.sagemaker.packages[TWO]
    assert rejected["ModelApprovalStatus"] == "Rejected"
    assert "Endpoint: The primary container did not pass the ping" in rejected["ApprovalDescription"]
    assert world.sagemaker.packages[ONE]["ModelApprovalStatus"] == "Approved"
    (mail,) = world.sns.mails
    assert "rolled back" in mail["Subject"]
    assert f"--model-package-arn {TWO}" in mail["Message"]


def test_a_rollback_is_handled_once_however_often_its_event_comes(world: World, stack: FakeServing) -> None:
    promoted(stack, ONE, 0)
    approve(TWO, 1)
    stack.roll_back()
    for _ in range(3):
        settled()
    approve(TWO, 1)  # its approval, delivered again
    assert champion(world) == ONE
    assert updates(stack) == 2
    assert len(world.sns.mails) == 1


def test_the_first_model_ever_that_does_not_come_up_leaves_no_champion(
    world: World, stack: FakeServing
) -> None:
    approve(ONE, 0)
    stack.roll_back()
    settled()
    assert champion(world) == "none"
    assert world.sagemaker.packages[ONE]["ModelApprovalStatus"] == "Rejected"


def test_after_a_rollback_the_next_candidate_gets_its_own_try(world: World, stack: FakeServing) -> None:
    promoted(stack, ONE, 0)
    approve(TWO, 1)
    stack.roll_back()
    settled()
    promoted(stack, THREE, 2)
    assert world.sagemaker.packages[THREE]["ModelApprovalStatus"] == "Approved"


def test_a_rejected_package_that_is_approved_anew_gets_another_try(world: World, stack: FakeServing) -> None:
    promoted(stack, ONE, 0)
    approve(TWO, 1)
    stack.roll_back()
    settled()
    put(world, TWO)
    promoted(stack, TWO, 2)


def test_the_old_approval_of_a_rolled_back_package_does_not_count_for_its_new_one(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    approve(TWO, 1)
    stack.roll_back()
    settled()
    put(world, TWO)  # approved anew, but what comes is the first approval once more
    approve(TWO, 1)
    assert champion(world) == ONE


def test_an_approval_that_came_during_a_rollback_is_not_blamed_and_not_lost(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    approve(TWO, 1)
    approve(THREE, 2)
    stack.roll_back()
    settled()
    assert world.sagemaker.packages[THREE]["ModelApprovalStatus"] == "Approved"
    stack.succeed()
    settled()
    assert stack.serving == champion(world) == THREE


def test_a_rolled_back_cdk_deploy_does_not_reject_the_waiting_champion_but_tries_it(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    stack.begin(token="cdk-deploy")
    approve(TWO, 1)
    stack.roll_back()
    settled()
    assert world.sagemaker.packages[TWO]["ModelApprovalStatus"] == "Approved"
    stack.succeed()
    assert stack.serving == TWO


def test_a_champion_that_was_rejected_while_it_waited_is_not_rolled_out(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    stack.begin(token="cdk-deploy")
    approve(TWO, 1)
    stack.coming = ONE
    put(world, TWO, "Rejected")
    stack.succeed()
    settled()
    assert champion(world) == stack.serving == ONE
    assert updates(stack) == 1


def test_two_handlers_that_write_at_once_leave_the_newest_approval_on_top(
    world: World, stack: FakeServing
) -> None:
    put_parameter = world.ssm.on["PutParameter"]
    raced = iter([True])

    def race(params: dict[str, Any]) -> dict[str, Any]:
        if next(raced, False):  # the other handler writes the newer approval just before this write
            put_parameter({**params, "Value": TWO, "Description": "2026-11-20T12:01:00Z approved"})
        return put_parameter(params)

    world.ssm.on["PutParameter"] = race
    approve(ONE, 0)
    assert champion(world) == TWO


def test_a_champion_that_a_person_put_by_hand_is_followed(world: World, stack: FakeServing) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    history = world.ssm.history["/demo/champion"]
    world.ssm._put({"Name": "/demo/champion", "Value": ONE, "Overwrite": True})
    history[-1]["LastModifiedDate"] = NOW.replace(hour=13)
    assert handler({}, Context())["did"] == "update of the Serving stack: started"
    stack.succeed()
    assert stack.serving == ONE


def test_before_the_serving_stack_is_deployed_an_approval_only_sets_the_champion(
    world: World, stack: FakeServing
) -> None:
    stack.deployed = False
    assert "not deployed" in approve(ONE, 0)["did"]
    assert champion(world) == ONE


def test_a_stack_that_only_a_person_can_help_is_told_of(world: World, stack: FakeServing) -> None:
    stack.status = "UPDATE_ROLLBACK_FAILED"
    approve(ONE, 0)
    assert not world.sns.mails
    settled()
    (mail,) = world.sns.mails
    assert "continue-update-rollback --stack-name demo-serving" in mail["Message"]
    assert updates(stack) == 0


def test_an_event_without_a_time_is_refused_because_its_age_decides(world: World, stack: FakeServing) -> None:
    event = sagemaker_event(KIND, {"ModelPackageArn": ONE}, time="yesterday")
    with pytest.raises(Exception, match="not an ISO 8601 time"):
        handler(event, Context())


def ask(action: str, **more: str) -> dict[str, Any]:
    return handler({"action": action, **more}, Context())


def rejected(arn: str, minute: int) -> dict[str, Any]:
    """Deliver the rejection that happened at this minute."""
    detail = {"ModelPackageArn": arn, "ModelPackageGroupName": "demo", "ModelApprovalStatus": "Rejected"}
    return handler(sagemaker_event(KIND, detail, time=f"2026-11-20T12:{minute:02}:00Z"), Context())


def done(stack: FakeServing) -> None:
    stack.succeed()
    settled()


def test_asleep_the_parameter_is_none_and_waking_brings_the_same_model_back(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    answer = ask("sleep", why="no request for 60 minutes")
    assert (answer["statusCode"], answer["asleep"], answer["champion"]) == (200, True, ONE)
    assert champion(world) == "none"
    done(stack)
    assert stack.serving == "none"
    assert ask("sleep")["action"] == "it sleeps already"
    answer = ask("wake", why="a request came")
    assert (answer["asleep"], answer["decided"]) == (False, ONE)
    done(stack)
    assert stack.serving == champion(world) == ONE
    assert ask("wake")["action"] == "it is awake already"
    assert updates(stack) == 3


def test_what_was_asked_for_is_told_by_versions(world: World, stack: FakeServing) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    assert ask("sleep")["action"] == "version 2 goes to sleep"
    done(stack)
    assert ask("wake")["action"] == "version 2 wakes up"
    done(stack)
    assert ask("rollback")["action"] == "back from version 2 to version 1"
    done(stack)
    assert "version 1 has no predecessor" in ask("rollback")["error"]["message"]
    assert "version 2 is not the champion" in ask("sleep", model=TWO)["error"]["message"]


def test_the_approval_of_a_sleeping_model_that_comes_again_does_not_wake_it(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    ask("sleep")
    done(stack)
    approve(ONE, 0)
    assert champion(world) == stack.serving == "none"


def test_an_approval_that_was_overtaken_by_sleeping_and_waking_is_not_lost(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    ask("sleep")
    done(stack)
    ask("wake")
    done(stack)
    approve(TWO, 1)  # happened long before the present, in which it slept and woke
    done(stack)
    assert stack.serving == champion(world) == TWO
    approve(ONE, 0)
    assert champion(world) == TWO


def test_a_promotion_wakes_the_endpoint_and_when_it_fails_the_model_before_it_sleeps_on(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    ask("sleep")
    done(stack)
    approve(TWO, 1)
    assert champion(world) == TWO
    stack.roll_back()
    settled()
    assert champion(world) == stack.serving == "none"
    assert handler({}, Context())["champion"] == ONE
    ask("wake")
    done(stack)
    assert stack.serving == ONE


def test_a_model_that_does_not_wake_sleeps_on_is_not_rejected_and_somebody_is_told(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    ask("sleep")
    done(stack)
    ask("wake")
    stack.roll_back("InsufficientInstanceCapacity")
    settled()
    answer = handler({}, Context())
    assert (answer["champion"], answer["asleep"]) == (ONE, True)
    assert world.sagemaker.packages[ONE]["ModelApprovalStatus"] == "Approved"
    (mail,) = world.sns.mails
    assert "InsufficientInstanceCapacity" in mail["Message"]
    ask("wake")
    done(stack)
    assert stack.serving == ONE


def test_an_endpoint_that_could_not_be_removed_is_told_of_because_it_is_billed(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    ask("sleep")
    stack.roll_back("AccessDenied")
    settled()
    assert champion(world) == stack.serving == ONE
    assert "still billed" in world.sns.mails[0]["Subject"]


@pytest.mark.parametrize("why", ["woken up by mistake", "went back: no", "rolled back: never"])
def test_a_sleep_is_a_sleep_whatever_words_its_reason_begins_with(
    world: World, stack: FakeServing, why: str
) -> None:
    promoted(stack, ONE, 0)
    ask("sleep", why=why)
    stack.roll_back("AccessDenied")
    settled()
    (mail,) = world.sns.mails
    assert "still billed" in mail["Subject"]
    assert world.sagemaker.packages[ONE]["ModelApprovalStatus"] == "Approved"


def stated(world: World) -> dict[str, str]:
    """What the newest version of the parameter says of itself."""
    found: dict[str, str] = json.loads(world.ssm.history["/demo/champion"][-1]["Description"])
    return found


def test_every_decision_carries_its_code(world: World, stack: FakeServing) -> None:
    promoted(stack, ONE, 0)
    assert stated(world) == {"time": "2026-11-20T12:00:00Z", "code": "approved", "serves": ONE, "why": ""}
    ask("sleep", code="idle", why="no request")
    done(stack)
    assert (stated(world)["code"], stated(world)["asleep"], stated(world)["serves"]) == ("idle", ONE, "none")
    ask("wake")
    stack.roll_back("InsufficientInstanceCapacity")
    settled()
    assert (stated(world)["code"], stated(world)["asleep"]) == ("went-back:did-not-wake", ONE)
    ask("wake")
    done(stack)
    assert stated(world)["code"] == "woken"
    approve(TWO, 1)
    stack.roll_back("no ping")
    settled()
    assert stated(world)["code"] == "went-back:failed-update"
    put(world, TWO)
    promoted(stack, TWO, 2)
    ask("rollback", why="complaints")
    done(stack)
    assert (stated(world)["code"], stated(world)["serves"]) == ("rolled-back", ONE)
    left = json.loads(world.sagemaker.packages[TWO]["ApprovalDescription"])
    assert (left["code"], "complaints" in left["why"]) == ("rolled-back", True)
    ask("sleep")
    stack.roll_back("AccessDenied")
    settled()
    assert stated(world)["code"] == "went-back:not-removed"


@pytest.mark.parametrize(
    "why",
    [
        'he said "no"\nand\r\nleft \\ ' * 80,
        "ü€😀" * 700,
        "\x00\x01\x1f" * 700,
        "\ud800" * 2000,
        "a\u2028b\u0085" * 500,
    ],
    ids=["quotes and lines", "unicode", "control", "half a character", "separators"],
)
def test_a_long_reason_is_shortened_and_the_decision_stays_whole(
    world: World, stack: FakeServing, why: str
) -> None:
    promoted(stack, ONE, 0)
    ask("sleep", why=why)
    text = world.ssm.history["/demo/champion"][-1]["Description"]
    assert len(text.encode()) <= 1024
    assert text.isprintable()
    found = json.loads(text)
    assert (found["asleep"], found["serves"], found["since"]) == (ONE, "none", "2026-11-20T12:00:00Z")
    assert found["why"].endswith("…")
    assert len(text.encode()) > 1000
    done(stack)
    ask("wake")
    done(stack)
    promoted(stack, TWO, 59)
    ask("rollback", why=why)
    left = world.sagemaker.packages[TWO]["ApprovalDescription"]
    assert json.loads(left)["code"] == "rolled-back"
    assert len(left.encode()) <= 1024


def test_decisions_that_were_written_before_there_was_a_code_are_followed(
    world: World, stack: FakeServing
) -> None:
    def put_old(value: str, description: str) -> None:
        world.ssm._put(
            {"Name": "/demo/champion", "Value": value, "Description": description, "Overwrite": True}
        )

    put_old(ONE, "2026-11-20T12:00:00Z approved")
    put_old(
        "none", f"2026-11-20T13:00:00Z asleep {ONE} since 2026-11-20T12:00:00Z woken by nobody for an hour"
    )
    answer = handler({}, Context())
    assert (answer["champion"], answer["asleep"]) == (ONE, True)
    assert ask("sleep")["action"] == "it sleeps already"
    put_old(ONE, "2026-11-20T14:00:00Z since 2026-11-20T12:00:00Z woken: a request came")
    handler({}, Context())
    stack.roll_back("InsufficientInstanceCapacity")
    settled()
    assert "did not wake up" in world.sns.mails[0]["Subject"]
    assert world.sagemaker.packages[ONE]["ModelApprovalStatus"] == "Approved"
    assert stated(world)["asleep"] == ONE


def test_a_package_put_by_hand_is_not_taken_for_what_the_kept_description_tells(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    ask("sleep")
    done(stack)
    ask("wake")
    done(stack)
    kept = world.ssm.history["/demo/champion"][-1]["Description"]  # put-parameter without a description
    world.ssm._put({"Name": "/demo/champion", "Value": ONE, "Description": kept, "Overwrite": True})
    world.ssm.history["/demo/champion"][-1]["LastModifiedDate"] = datetime(2099, 1, 1, tzinfo=UTC)
    handler({}, Context())
    stack.roll_back("no ping")
    settled()
    assert world.sagemaker.packages[ONE]["ModelApprovalStatus"] == "Rejected", "it was no waking"


def test_what_cloudformation_left_behind_when_it_went_to_sleep_is_told_of(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    ask("sleep")
    stack._event("DELETE_FAILED", "", "Cannot update in-progress endpoint", "DemoChampionEndpoint")
    done(stack)
    (mail,) = world.sns.mails
    assert "may be billed" in mail["Subject"]
    assert "DemoChampionEndpoint (Cannot update in-progress endpoint)" in mail["Message"]
    ask("wake")
    done(stack)
    ask("sleep")
    done(stack)
    assert len(world.sns.mails) == 1


def test_a_package_of_another_project_put_by_hand_stays_without_effect_and_in_nobodys_way(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    foreign = package_arn(1, "other")
    world.ssm._put({"Name": "/demo/champion", "Value": foreign, "Overwrite": True})
    world.ssm.history["/demo/champion"][-1]["LastModifiedDate"] = NOW.replace(hour=13)
    world.sagemaker.calls.clear()
    assert "goes back to" in handler({}, Context())["did"]
    assert champion(world) == TWO
    assert ask("rollback")["statusCode"] == 200
    done(stack)
    assert stack.serving == ONE
    asked = [each["ModelPackageName"] for each in world.sagemaker.called("DescribeModelPackage")]
    assert foreign not in asked, "the function's role may not look at other projects' packages"


def test_the_guard_does_not_put_another_champion_to_sleep_than_the_one_it_looked_at(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    answer = ask("sleep", model=ONE)
    assert (answer["statusCode"], answer["error"]["code"]) == (409, "OtherChampion")
    assert champion(world) == TWO


def test_a_rollback_returns_to_the_version_before_and_rejects_the_one_it_leaves(
    world: World, stack: FakeServing
) -> None:
    for minute, arn in enumerate((ONE, TWO, THREE)):
        promoted(stack, arn, minute)
    ask("rollback", why="complaints", model=THREE)
    done(stack)
    assert stack.serving == champion(world) == TWO
    left = world.sagemaker.packages[THREE]
    assert (left["ModelApprovalStatus"], "complaints" in left["ApprovalDescription"]) == ("Rejected", True)
    assert ask("rollback", model=THREE)["error"]["code"] == "OtherChampion"  # the same request again
    approve(THREE, 2)
    rejected(THREE, 3)  # the events of its approval and of its rejection by the rollback itself
    assert champion(world) == TWO
    ask("rollback")
    done(stack)
    assert stack.serving == ONE


def test_a_rollback_leaves_out_versions_that_did_not_come_up(world: World, stack: FakeServing) -> None:
    promoted(stack, ONE, 0)
    approve(TWO, 1)
    stack.roll_back()
    settled()
    promoted(stack, THREE, 2)
    ask("rollback")
    done(stack)
    assert stack.serving == ONE


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("The primary container did not pass the ping health check.", "Rejected"),
        ("ResourceLimitExceeded: the quota is 1", "Approved"),
    ],
)
def test_what_serves_on_as_its_rollback_failed_is_approved_again(
    world: World, stack: FakeServing, reason: str, status: str
) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    ask("rollback", why="complaints")
    assert world.sagemaker.packages[TWO]["ModelApprovalStatus"] == "Rejected"
    stack.roll_back(reason)
    settled()
    assert stack.serving == champion(world) == TWO
    found = {arn: world.sagemaker.packages[arn]["ModelApprovalStatus"] for arn in (ONE, TWO)}
    assert found == {ONE: status, TWO: "Approved"}


def test_what_serves_on_is_told_of_once_and_can_sleep_and_be_woken(world: World, stack: FakeServing) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    ask("rollback", why="complaints")
    stack.roll_back()
    settled()
    packages = world.sagemaker.packages
    assert json.loads(packages[TWO]["ApprovalDescription"])["code"] == "serves-on"
    assert any("serves on" in mail["Subject"] for mail in world.sns.mails)
    asked, mails = updates(stack), len(world.sns.mails)
    approved_now(TWO)  # the event of that approval
    settled()
    assert (champion(world), updates(stack), len(world.sns.mails)) == (TWO, asked, mails)
    ask("sleep")
    done(stack)
    ask("wake")
    done(stack)
    assert stack.serving == TWO


@pytest.mark.parametrize("before", [True, False])
def test_a_rejected_champion_whose_endpoint_could_not_be_changed_is_approved_again(
    world: World, stack: FakeServing, before: bool
) -> None:
    if before:
        promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    put(world, TWO, "Rejected")
    rejected(TWO, 2)
    stack.roll_back()
    settled()
    assert stack.serving == champion(world) == TWO
    assert world.sagemaker.packages[TWO]["ModelApprovalStatus"] == "Approved"
    rejected(TWO, 2)  # the same event again
    assert champion(world) == TWO


def test_an_approval_that_came_as_a_rollback_failed_leaves_what_was_left_rejected(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    ask("rollback")
    stack.roll_back()
    put_parameter, raced = world.ssm.on["PutParameter"], iter([True])

    def race(params: dict[str, Any]) -> dict[str, Any]:
        if next(raced, False):  # the other handler writes its approval just before this write
            put_parameter({**params, "Value": THREE, "Description": "2126-11-20T12:01:00Z approved"})
        return put_parameter(params)

    world.ssm.on["PutParameter"] = race
    settled()
    assert champion(world) == THREE
    assert world.sagemaker.packages[TWO]["ModelApprovalStatus"] == "Rejected"


def test_a_rollback_of_a_sleeping_champion_changes_who_sleeps(world: World, stack: FakeServing) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    ask("sleep")
    done(stack)
    answer = ask("rollback")
    assert (answer["champion"], answer["asleep"], champion(world)) == (ONE, True, "none")
    assert stack.status == "UPDATE_COMPLETE"
    ask("wake")
    done(stack)
    assert stack.serving == ONE


@pytest.mark.parametrize("action", ["rollback", "sleep", "wake"])
def test_without_a_model_every_request_is_refused_by_name(
    world: World, stack: FakeServing, action: str
) -> None:
    answer = ask(action)
    assert (answer["statusCode"], answer["error"]["code"]) == (409, "NoModel")
    assert updates(stack) == 0


def test_a_rollback_without_a_predecessor_is_refused_and_changes_nothing(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    assert ask("rollback")["error"]["code"] == "NoPredecessor"
    assert world.sagemaker.packages[ONE]["ModelApprovalStatus"] == "Approved"
    assert (champion(world), updates(stack)) == (ONE, 1)


def test_a_model_that_was_rejected_while_it_slept_is_not_woken(world: World, stack: FakeServing) -> None:
    promoted(stack, ONE, 0)
    ask("sleep")
    done(stack)
    put(world, ONE, "Rejected")
    assert ask("wake")["error"]["code"] == "NotApproved"
    assert champion(world) == "none"


def test_rejecting_the_champion_in_the_console_brings_the_version_before_back(
    world: World, stack: FakeServing
) -> None:
    promoted(stack, ONE, 0)
    promoted(stack, TWO, 1)
    put(world, TWO, "Rejected")
    rejected(TWO, 2)
    rejected(TWO, 2)
    done(stack)
    assert stack.serving == champion(world) == ONE


def test_rejecting_the_only_champion_takes_the_endpoint_away(world: World, stack: FakeServing) -> None:
    promoted(stack, ONE, 0)
    put(world, ONE, "Rejected")
    rejected(ONE, 1)
    done(stack)
    assert stack.serving == champion(world) == "none"
    assert handler({}, Context())["asleep"] is False


@pytest.mark.parametrize(
    "payload",
    [
        [],
        {"action": "explode"},
        {"action": "sleep", "when": "now"},
        {"action": 1},
        {"action": "sleep", "code": "approved"},
        {"action": "wake", "code": "idle"},
    ],
)
def test_a_request_that_nobody_understands_is_refused_by_name(
    world: World, stack: FakeServing, payload: Any
) -> None:
    assert handler(payload, Context())["error"]["code"] == "InvalidPayload"


def test_two_hundred_shuffled_deliveries_end_as_the_newest_approval_says(
    world: World, stack: FakeServing
) -> None:
    shuffled = random.Random(7)
    deliveries = [(arn, minute) for minute, arn in enumerate((ONE, TWO, THREE))] * 67
    shuffled.shuffle(deliveries)
    for arn, minute in deliveries:
        approve(arn, minute)
        if stack.status.endswith("_IN_PROGRESS") and shuffled.random() < 0.3:
            done(stack)
    while stack.status.endswith("_IN_PROGRESS"):
        done(stack)
    assert stack.serving == champion(world) == THREE
    assert updates(stack) <= 3
