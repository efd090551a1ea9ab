"""A candidate: an approved model that answers a copy of the champion's traffic before it may serve.

Where the setting `serving.shadow` asks for it, an approval makes a model the candidate first. The candidate
parameter says so, the Serving stack follows it as it follows the champion, and compare-shadow asks in the end
for the candidate to be trusted, which makes it the champion, or not, which leaves it to a person: it is
PendingManualApproval then, with the numbers. Approved once more, it serves without another comparison.

Nothing is compared with no champion, nor with one of other classes, which a person has approved as such.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contract.candidates import Candidate
from contract.decisions import Decision, Outcome, Reason
from contract.environment import PromoteEnvironment
from contract.names import GATE_OUTCOME, NO_CHAMPION
from contract.waiting import Cause
from functions.common import candidate, champion, logs, notify
from functions.common.clients import client
from functions.common.errors import UserError
from functions.common.events import STACK_STATUS, Event
from functions.promote_model import actions, causes, instances
from functions.promote_model.stack import Stack

PENDING = "PendingManualApproval"


class NoSuchCandidate(UserError):
    """The model is not the one that is compared."""

    status = 409


def current(env: PromoteEnvironment) -> Candidate | None:
    """The candidate that counts; None where nothing is compared by setting."""
    return candidate.current(env.candidate_parameter) if env.candidate_parameter else None


def agrees(beside: Candidate | None, serving: Stack) -> bool:
    """Whether the stack shows the candidate that it should; a template without one can show none."""
    return beside is None or serving.candidate is None or serving.candidate == beside.package


def comes_first(arn: str, package: Mapping[str, Any], newest: Decision, env: PromoteEnvironment) -> bool:
    """Whether an approved model is to be compared before it serves."""
    if not env.candidate_parameter or newest.model == NO_CHAMPION:
        return False
    if package.get("CustomerMetadataProperties", {}).get(GATE_OUTCOME) == Outcome.OTHER_CLASSES:
        return False
    return all(each.ended != arn for each in candidate.history(env.candidate_parameter))


def begin(arn: str, time: str, env: PromoteEnvironment) -> str:
    """Make an approved model the candidate, unless a newer one is."""
    now = candidate.settle(env.candidate_parameter)
    if now.package == arn:
        return "ignored: it is compared already"
    if now.shadows:
        if time < now.since:
            return f"ignored: the candidate of {now.since} is newer"
        _leave_to_a_person(now, Reason(Outcome.NOT_TRUSTED, "a newer model was approved meanwhile"), env)
    candidate.begin(env.candidate_parameter, arn, time)
    return "candidate"


def settle(decision: Decision, env: PromoteEnvironment) -> Candidate | None:
    """The candidate, after ending a comparison that has lost its sense."""
    if not env.candidate_parameter:
        return None
    now = candidate.settle(env.candidate_parameter)
    if not now.shadows:
        return now
    if now.package == decision.model:
        return candidate.end(env.candidate_parameter, now, Reason(Outcome.SHADOWED, "it is the champion"))
    if not actions.still_approved(now.package, env):
        return candidate.end(env.candidate_parameter, now, Reason(Outcome.NOT_APPROVED, "it was rejected"))
    if now.since < decision.since:
        reason = Reason(Outcome.NOT_TRUSTED, "another model became the champion meanwhile")
        return _leave_to_a_person(now, reason, env)
    return now


def decide(request: actions.Request, env: PromoteEnvironment) -> str:
    """End a comparison as compare-shadow asks; what was decided, in words.

    Raises:
        NoSuchCandidate: the model is not compared (any more); nothing was written.
    """
    decision = champion.settle(env.champion_parameter)
    now = settle(decision, env)
    if now is None or not now.shadows or request.model not in ("", now.package):
        raise NoSuchCandidate(f"{request.model or 'no model'} is compared with the champion")
    if request.action == actions.DISTRUST:
        _leave_to_a_person(now, request.reason, env)
        return f"{now.package} waits for a person"
    _promote(now, decision, request.reason, env)
    return f"{now.package} becomes the champion"


def _promote(now: Candidate, decision: Decision, reason: Reason, env: PromoteEnvironment) -> None:
    """Make the candidate the champion, asleep when the champion sleeps.

    The champion is written first: after a crash in between, the next look ends the comparison.
    """
    sleeps = bool(decision.asleep)
    champion.decide(
        env.champion_parameter,
        NO_CHAMPION if sleeps else now.package,
        max(champion.now(), decision.time),
        reason,
        asleep=now.package if sleeps else "",
        since=now.since,
    )
    candidate.end(env.candidate_parameter, now, reason)
    logs.info("the candidate is trusted", package=now.package, why=reason.why)


def _leave_to_a_person(now: Candidate, reason: Reason, env: PromoteEnvironment) -> Candidate:
    """Let the candidate wait for approval, with the reason; the candidate that counts then.

    The package is written first: after a crash in between, the next look ends the comparison.
    """
    if actions.still_approved(now.package, env):
        client("sagemaker").update_model_package(
            ModelPackageArn=now.package, ModelApprovalStatus=PENDING, ApprovalDescription=reason.text()
        )
        notify.send(
            env,
            "a compared model waits for your approval",
            f"{now.package} was approved, and does not serve: {reason.why}.",
            f"To let it serve all the same:\n{notify.approve_command(now.package)}",
        )
    return candidate.end(env.candidate_parameter, now, reason)


def failed(
    event: Event | None, beside: Candidate, serving: Stack, reason: str, env: PromoteEnvironment
) -> str:
    """The stack rolled the candidate's update back, and the champion serves as before."""
    if not beside.shadows:
        return _did_not_end(event, beside, reason, env)
    cause, endpoint_reason = causes.of(reason), instances.failure_since(beside.written, env)
    if endpoint_reason and cause is Cause.MODEL:  # CloudFormation may only say that it did not come up
        cause, reason = causes.of(endpoint_reason), f"{reason} ({endpoint_reason})"
    if cause is not Cause.MODEL:
        why = f"it could not be brought up beside the champion ({cause}): {reason}"
        _leave_to_a_person(beside, Reason(Outcome.NOT_TRUSTED, why), env)
        return f"the comparison ends: {why}"
    client("sagemaker").update_model_package(
        ModelPackageArn=beside.package,
        ModelApprovalStatus=actions.REJECTED,
        ApprovalDescription=Reason(Outcome.FAILED_UPDATE, reason, back_to=serving.serving).text(),
    )
    candidate.end(env.candidate_parameter, beside, Reason(Outcome.FAILED_UPDATE, reason))
    notify.send(
        env,
        "a model did not come up to be compared",
        f"{beside.package} was approved but did not come up, so {serving.serving} serves on alone.",
        f"Why: {reason}",
        "The package is Rejected now. When the cause is put right, approve it again:\n"
        + notify.approve_command(beside.package),
    )
    return f"the comparison ends, and the model is rejected: {reason}"


def _did_not_end(event: Event | None, beside: Candidate, reason: str, env: PromoteEnvironment) -> str:
    """A shadow that could not be removed is billed on: told of when it happens, tried again by the clock."""
    if event is not None and event.kind == STACK_STATUS:
        notify.send(
            env,
            "a comparison has ended, but its instances could not be removed and are billed",
            f"{beside.ended or 'The candidate'} answers a copy of the traffic still.",
            f"Why: {reason}\nIt is tried again every quarter of an hour.",
            "To take the whole endpoint away: classifier sleep",
        )
        return f"nothing: the shadow could not be removed: {reason}"
    candidate.end(env.candidate_parameter, beside, beside.reason)
    return "the shadow could not be removed; the next look tries again"
