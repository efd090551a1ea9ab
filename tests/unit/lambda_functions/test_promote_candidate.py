"""promote-model, where models are compared before they serve: registry, both parameters and stack agree."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from contract.candidates import Candidate
from contract.decisions import Decision, Outcome, Reason
from functions.promote_model.handler import handler
from tests.unit.lambda_functions.fakes import AwsFailure, Context, World, sagemaker_event
from tests.unit.lambda_functions.test_promote_model import (
    KIND,
    ONE,
    STACK_ID,
    THREE,
    TWO,
    FakeServing,
    approve,
    champion,
    put,
    settled,
)

PARAMETER = "/demo/candidate"
PENDING = "PendingManualApproval"


class ShadowingServing(FakeServing):
    """The Serving stack of the setting: an update reads champion and candidate."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.shadow = self.coming_shadow = "none"

    def begin(self, token: str) -> None:
        super().begin(token)
        self.coming_shadow = self.world.ssm.value(PARAMETER)

    def succeed(self) -> None:
        super().succeed()
        self.shadow = self.coming_shadow

    def _describe(self, params: dict[str, Any]) -> dict[str, Any]:
        answer = super()._describe(params)
        answer["Stacks"][0]["Outputs"].append({"OutputKey": "Candidate", "OutputValue": self.shadow})
        return answer

    def _update(self, params: dict[str, Any]) -> dict[str, Any]:
        same = (self.world.ssm.value("/demo/champion"), self.world.ssm.value(PARAMETER))
        if same != (self.serving, self.shadow) and not self.status.endswith("_IN_PROGRESS"):
            self.begin(params["ClientRequestToken"])
            return {"StackId": STACK_ID}
        return super()._update(params)


@pytest.fixture
def stack(world: World, monkeypatch: pytest.MonkeyPatch) -> ShadowingServing:
    """Version 1 serves, and three are in the registry."""
    monkeypatch.setenv("CANDIDATE_PARAMETER", PARAMETER)
    world.ssm._put({"Name": PARAMETER, "Value": "none"})
    stack = ShadowingServing(world)
    world.others["cloudformation"] = stack
    for arn in (ONE, TWO, THREE):
        put(world, arn)
    approve(ONE, 0)
    carry_out(stack)
    assert (stack.serving, stack.shadow) == (ONE, "none"), "the first model has nobody to be compared with"
    return stack


def carry_out(stack: ShadowingServing) -> None:
    """Let updates succeed until there is none under way."""
    for _ in range(5):
        if stack.status != "UPDATE_IN_PROGRESS":
            return
        stack.succeed()
        settled()
    raise AssertionError("the updates do not end")


def candidate(world: World) -> Candidate:
    return Candidate.of_version(world.ssm.history[PARAMETER][-1])


def decision(world: World) -> Decision:
    return Decision.of_version(world.ssm.history["/demo/champion"][-1])


def status(world: World, arn: str) -> tuple[str, Reason]:
    package = world.sagemaker.packages[arn]
    return package["ModelApprovalStatus"], Reason.of_package(package.get("ApprovalDescription", ""))


def ask(action: str, arn: str = TWO, why: str = "the numbers") -> dict[str, Any]:
    return handler({"action": action, "model": arn, "why": why}, Context())


def reject(world: World, arn: str, minute: int) -> None:
    world.sagemaker.packages[arn]["ModelApprovalStatus"] = "Rejected"
    detail = {"ModelPackageArn": arn, "ModelPackageGroupName": "demo", "ModelApprovalStatus": "Rejected"}
    handler(sagemaker_event(KIND, detail, time=f"2026-11-20T12:{minute:02}:00Z"), Context())


def test_an_approved_model_first_shadows_the_champion(world: World, stack: ShadowingServing) -> None:
    assert approve(TWO, 1)["candidate"] == TWO
    assert champion(world) == ONE
    carry_out(stack)
    assert (stack.serving, stack.shadow) == (ONE, TWO)
    assert candidate(world).since == "2026-11-20T12:01:00Z"
    approve(TWO, 1)
    assert len(world.ssm.history[PARAMETER]) == 2, "an approval delivered twice begins nothing twice"


def test_a_trusted_candidate_becomes_the_champion_in_one_update(
    world: World, stack: ShadowingServing
) -> None:
    approve(TWO, 1)
    carry_out(stack)
    updates = len(stack.called("UpdateStack"))
    assert ask("trust")["statusCode"] == 200
    carry_out(stack)
    assert (stack.serving, stack.shadow) == (TWO, "none")
    assert len(stack.called("UpdateStack")) == updates + 1
    assert (decision(world).reason.outcome, decision(world).reason.why) == (Outcome.SHADOWED, "the numbers")
    assert decision(world).since == "2026-11-20T12:01:00Z"
    assert candidate(world).ended == TWO
    assert ask("trust")["statusCode"] == 409, "nothing is compared any more"
    approve(TWO, 1)
    assert (champion(world), candidate(world).package) == (TWO, "none")


def test_one_that_is_not_trusted_waits_for_a_person_who_needs_no_second_comparison(
    world: World, stack: ShadowingServing
) -> None:
    approve(TWO, 1)
    carry_out(stack)
    ask("distrust", why="3 of 20 answers as the champion's")
    carry_out(stack)
    assert (stack.serving, stack.shadow) == (ONE, "none")
    assert status(world, TWO) == (PENDING, Reason(Outcome.NOT_TRUSTED, "3 of 20 answers as the champion's"))
    assert "waits for your approval" in world.sns.mails[-1]["Subject"]
    approve(TWO, 1)
    assert champion(world) == ONE, "the first approval, delivered late, is no person's second one"
    world.sagemaker.packages[TWO]["ModelApprovalStatus"] = "Approved"
    approve(TWO, 9)
    carry_out(stack)
    assert (stack.serving, stack.shadow) == (TWO, "none")


def test_a_rejected_candidate_goes_and_stays_rejected(world: World, stack: ShadowingServing) -> None:
    approve(TWO, 1)
    carry_out(stack)
    reject(world, TWO, 2)
    carry_out(stack)
    assert (stack.serving, stack.shadow) == (ONE, "none")
    assert status(world, TWO)[0] == "Rejected"


def test_a_newer_approval_takes_the_candidates_place_and_an_older_one_does_not(
    world: World, stack: ShadowingServing
) -> None:
    approve(THREE, 5)
    assert "newer" not in str(approve(TWO, 4)["did"])
    assert candidate(world).package == THREE
    approve(TWO, 6)
    carry_out(stack)
    assert (stack.serving, stack.shadow) == (ONE, TWO)
    assert status(world, THREE)[0] == PENDING


def test_a_candidate_older_than_a_new_champion_is_left_to_a_person(
    world: World, stack: ShadowingServing
) -> None:
    approve(TWO, 1)
    carry_out(stack)
    ask("distrust")
    carry_out(stack)
    approve(THREE, 3)
    carry_out(stack)
    assert stack.shadow == THREE
    world.sagemaker.packages[TWO]["ModelApprovalStatus"] = "Approved"
    approve(TWO, 4)
    carry_out(stack)
    assert (stack.serving, stack.shadow) == (TWO, "none")
    assert status(world, THREE)[0] == PENDING


def test_a_model_of_other_classes_that_a_person_approved_is_not_compared(
    world: World, stack: ShadowingServing
) -> None:
    world.sagemaker.packages[TWO]["CustomerMetadataProperties"] = {"outcome": "other-classes"}
    approve(TWO, 1)
    carry_out(stack)
    assert (stack.serving, stack.shadow) == (TWO, "none")


def test_a_candidate_that_does_not_come_up_is_rejected_and_the_champion_serves_on(
    world: World, stack: ShadowingServing
) -> None:
    approve(TWO, 1)
    stack.roll_back()
    settled()
    carry_out(stack)
    assert (champion(world), candidate(world).package) == (ONE, "none")
    found, reason = status(world, TWO)
    assert (found, reason.outcome, reason.back_to) == ("Rejected", Outcome.FAILED_UPDATE, ONE)
    assert settled()["did"].startswith("nothing: champion and endpoint agree")


def test_a_candidate_without_room_beside_the_champion_is_not_to_blame(
    world: World, stack: ShadowingServing
) -> None:
    approve(TWO, 1)
    stack.roll_back("The account-level service limit is exceeded (ResourceLimitExceeded)")
    settled()
    found, reason = status(world, TWO)
    assert (found, reason.outcome) == (PENDING, Outcome.NOT_TRUSTED)
    assert "quota" in reason.why
    assert settled()["did"].startswith("nothing: champion and endpoint agree")


def test_a_trusted_candidate_that_fails_as_champion_leaves_neither_champion_nor_shadow_of_it(
    world: World, stack: ShadowingServing
) -> None:
    approve(TWO, 1)
    carry_out(stack)
    ask("trust")
    stack.roll_back()
    assert stack.shadow == TWO, "the stack goes back to the comparison"
    settled()
    carry_out(stack)
    assert (stack.serving, stack.shadow) == (ONE, "none")
    assert (champion(world), candidate(world).package) == (ONE, "none")
    assert status(world, TWO)[0] == "Rejected"


def test_a_shadow_that_cannot_be_removed_is_told_of_and_tried_again(
    world: World, stack: ShadowingServing
) -> None:
    approve(TWO, 1)
    carry_out(stack)
    ask("distrust")
    stack.roll_back("Throttling")
    settled()
    assert "could not be removed" in world.sns.mails[-1]["Subject"]
    mails = len(world.sns.mails)
    handler({}, Context())
    handler({}, Context())
    assert stack.status == "UPDATE_IN_PROGRESS"
    carry_out(stack)
    assert (stack.serving, stack.shadow) == (ONE, "none")
    assert len(world.sns.mails) == mails


def test_a_champion_that_sleeps_keeps_its_candidate_and_a_trusted_one_sleeps_too(
    world: World, stack: ShadowingServing
) -> None:
    approve(TWO, 1)
    carry_out(stack)
    handler({"action": "sleep"}, Context())
    carry_out(stack)
    assert (stack.serving, candidate(world).package) == ("none", TWO)
    ask("trust")
    carry_out(stack)
    assert (stack.serving, stack.shadow, decision(world).asleep) == ("none", "none", TWO)


@pytest.mark.parametrize("action", ["trust", "distrust"])
def test_nobody_ends_the_comparison_of_another_model(
    world: World, stack: ShadowingServing, action: str
) -> None:
    approve(TWO, 1)
    carry_out(stack)
    assert ask(action, THREE)["statusCode"] == 409
    assert candidate(world).package == TWO


def test_without_the_setting_nothing_can_be_trusted(world: World) -> None:
    world.others["cloudformation"] = FakeServing(world)
    assert ask("trust")["statusCode"] == 409


def test_a_crash_between_two_writes_is_mended_by_the_next_look(
    world: World, stack: ShadowingServing, monkeypatch: pytest.MonkeyPatch
) -> None:
    for action, serving in (("distrust", ONE), ("trust", THREE)):
        arn = TWO if action == "distrust" else THREE
        approve(arn, 1 if arn == TWO else 2)
        carry_out(stack)
        assert stack.shadow == arn
        put_parameter = world.ssm.on["PutParameter"]

        def crash(params: dict[str, Any], put: Any = put_parameter) -> dict[str, Any]:
            if params["Name"] == PARAMETER:
                raise AwsFailure("InternalServerError", "crash", 400)
            return dict(put(params))

        world.ssm.on["PutParameter"] = crash
        with pytest.raises(Exception, match="crash"):
            ask(action, arn)
        world.ssm.on["PutParameter"] = put_parameter
        handler({}, Context())
        carry_out(stack)
        assert (stack.serving, stack.shadow) == (serving, "none")


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_in_whatever_order_it_ends_in_one_story(
    world: World, stack: ShadowingServing, seed: int
) -> None:
    chance = random.Random(seed)
    minute = itertools.count(1)
    things = [
        lambda: approve(chance.choice((ONE, TWO, THREE)), next(minute)),
        lambda: ask("trust", chance.choice((TWO, THREE))),
        lambda: ask("distrust", chance.choice((TWO, THREE))),
        lambda: handler({"action": chance.choice(("sleep", "wake", "rollback"))}, Context()),
        lambda: settled(),
        lambda: stack.status == "UPDATE_IN_PROGRESS" and (stack.succeed() or settled()),
        lambda: stack.status == "UPDATE_IN_PROGRESS" and (stack.roll_back() or settled()),
    ]
    for _ in range(25):
        chance.choice(things)()
    handler({}, Context())
    for _ in range(6):
        carry_out(stack)
        handler({}, Context())
    assert (stack.serving, stack.shadow) == (champion(world), candidate(world).package)
    if stack.shadow != "none":
        assert status(world, stack.shadow)[0] == "Approved"
    assert stack.shadow == "none" or stack.shadow != stack.serving
