"""Bring the endpoint in line with the registry, whatever just happened.

Every invocation, for whatever event, request or none, does the same two things. First, an approval, a
rejection of the champion, a person's request (actions.py), or a model that has waited long enough
(waiting.py) may become the newest decision. Then champion (what should serve) and Serving stack (what does)
are compared, and the one step is taken that brings them together: nothing, an update of the stack, or, when
the stack rolled that very update back, the champion goes back (take_back.py). So events may come twice, late
or in any order.
"""

from __future__ import annotations

from typing import Any

from contract.candidates import Candidate
from contract.decisions import Decision, Outcome, Reason
from contract.environment import PromoteEnvironment
from contract.names import NO_CHAMPION
from contract.waiting import Cause
from functions.common import champion, logs, notify
from functions.common.events import ENDPOINT, MODEL_PACKAGE, STACK_STATUS, Event
from functions.promote_model import actions, causes, instances, shadow, stack, take_back, waiting
from functions.promote_model.actions import APPROVED, REJECTED
from functions.promote_model.stack import Stack


def promote(event: Event | None, env: PromoteEnvironment) -> dict[str, Any]:
    """Take the newest approval into account, then reconcile. Returns what was done and what now holds."""
    if event is not None and event.kind == MODEL_PACKAGE:
        verdict = _consider(event, env)
        logs.info("approval considered", package=event.text("ModelPackageArn"), verdict=verdict)
    if event is not None and event.kind == ENDPOINT:
        verdict = instances.note_failure(event, env)
        logs.info("endpoint's failure considered", verdict=verdict)
    return reconcile(event, env)


def reconcile(event: Event | None, env: PromoteEnvironment) -> dict[str, Any]:
    """Take the one step that brings champion and Serving stack together."""
    decision = champion.settle(env.champion_parameter)
    serving = stack.describe(env.serving_stack)
    if serving is not None and not serving.busy and serving.serving == decision.package:
        decision = waiting.go_on(decision, serving, env)
    beside = shadow.settle(decision, env)
    did = _reconcile(event, decision, beside, serving, env)
    logs.info("reconciled", did=did, champion=decision.package, serving=serving.serving if serving else None)
    return {
        "did": did,
        "decided": decision.package,
        "champion": decision.model,
        "asleep": bool(decision.asleep),
        "waits": decision.waits.package if decision.waits else "",
        **({"candidate": beside.package} if beside is not None else {}),
        "stack": serving.status if serving else "missing",
    }


def _consider(event: Event, env: PromoteEnvironment) -> str:
    """Make the event's package the champion if this is its approval, it still holds, and none is newer.

    A champion that was rejected since, in the console for example, gives way to the one before it. An
    approval wakes an endpoint that sleeps: a release is proven when it is made, not at the next request.
    """
    arn = event.text("ModelPackageArn")
    changed = event.detail.get("UpdatedModelPackageFields")
    if isinstance(changed, list | dict) and changed and "ModelApprovalStatus" not in changed:
        return "ignored: the event is of another change than an approval"
    package = actions.package(arn, env)
    if package is None:
        return "ignored: this project has no such package"
    status = package.get("ModelApprovalStatus")
    newest = champion.settle(env.champion_parameter)
    if status == REJECTED and event.text("ModelApprovalStatus") == REJECTED and newest.model == arn:
        return actions.leave_rejected(newest, event.time, env)
    if status != APPROVED or event.text("ModelApprovalStatus") == REJECTED:
        return f"ignored: the package is {status} by now"
    if event.time < newest.since:
        return f"ignored: the decision of {newest.since} is newer"
    # Events have whole seconds: of one second, only this very approval is known to be an old one.
    if event.time == newest.since and champion.chosen(env.champion_parameter, arn, event.time):
        return f"ignored: the approval of {event.time} was taken into account before"
    if newest.model == arn:
        return "ignored: it is the champion already"
    if shadow.comes_first(arn, package, newest, env):
        return shadow.begin(arn, event.time, env)
    # Sleeping and waking are newer than the model they were about, but no reason to lose an approval.
    time = max(event.time, newest.time)
    champion.decide(env.champion_parameter, arn, time, Reason(Outcome.APPROVED), since=event.time)
    return "champion"


def _reconcile(
    event: Event | None,
    decision: Decision,
    beside: Candidate | None,
    serving: Stack | None,
    env: PromoteEnvironment,
) -> str:
    """The one step between what is served and what should be, in words."""
    if serving is None:
        return "nothing: the Serving stack is not deployed; its first deploy reads the champion"
    if serving.busy:
        return f"nothing: the stack is {serving.status}; its end sends an event"
    shown = serving.serving == decision.package
    if shown and shadow.agrees(beside, serving):
        _tell_left_behind(event, decision, serving, env)
        return "nothing: champion and endpoint agree"
    if not serving.updatable:
        return _stuck(event, serving, env)
    if decision.package != NO_CHAMPION:
        package = actions.package(decision.package, env)
        status = package["ModelApprovalStatus"] if package else "no package of this project"
        if status != APPROVED:
            reason = Reason(Outcome.NOT_APPROVED, f"{decision.package} is {status}")
            return take_back.go_back(decision, serving, reason, env)
    if serving.rolled_back:
        last = stack.last_update(serving)
        if last.token == stack.token_of(decision, beside):
            if shown and beside is not None:
                return shadow.failed(event, beside, serving, last.reason, env)
            return _failed(decision, serving, last.reason, env)
    return _update(decision, serving, env)


def _update(
    decision: Decision, serving: Stack, env: PromoteEnvironment, before: tuple[Cause, str] = (Cause.QUOTA, "")
) -> str:
    """Let the Serving stack follow the decision, on an instance type the account may have.

    Args:
        before: why the type that was tried before failed.
    """
    is_made = decision.package != NO_CHAMPION and serving.serving == NO_CHAMPION
    if is_made and env.instance_types and not instances.choose(env, decision.tried):
        cause, why = before
        types = ", ".join(env.instance_types)
        reason = f"no quota for {env.min_instances} instances of any of {types}"
        return take_back.give_up(decision, serving, cause, why or reason, env)
    started = stack.update(serving, stack.token_of(decision, shadow.current(env)))
    return f"update of the Serving stack: {started}"


def _failed(decision: Decision, serving: Stack, reason: str, env: PromoteEnvironment) -> str:
    """The stack rolled this decision's update back: package, champion and endpoint have to agree again."""
    if decision.package == NO_CHAMPION:
        return take_back.did_not_sleep(decision, serving, reason, env)
    cause, endpoint_reason = causes.of(reason), instances.failure_since(decision.written, env)
    if endpoint_reason and cause is Cause.MODEL:  # CloudFormation may only say that it did not come up
        cause, reason = causes.of(endpoint_reason), f"{reason} ({endpoint_reason})"
    logs.info("the update failed", cause=cause, why=reason, package=decision.package)
    if cause in (Cause.QUOTA, Cause.CAPACITY) and serving.serving == NO_CHAMPION and env.instance_types:
        return _next_type(decision, serving, cause, reason, env)
    did = take_back.give_up(decision, serving, cause, reason, env)
    beside = shadow.current(env)
    if shadow.agrees(beside, serving):
        return did
    # The stack rolled back to a comparison that has ended.
    return f"{did}; {_update(champion.current(env.champion_parameter), serving, env)}"


def _next_type(decision: Decision, serving: Stack, cause: Cause, reason: str, env: PromoteEnvironment) -> str:
    """AWS had no instance of the type that was taken: the same decision, with that type left out."""
    tried = (*decision.tried, instances.current(env))
    retried = champion.decide(
        env.champion_parameter,
        decision.package,
        decision.time,
        Reason(decision.reason.outcome, reason),
        since=decision.since,
        waiting=decision.waiting,
        tried=tried,
    )
    if (retried.package, retried.tried) != (decision.package, tried):
        return "nothing: a newer decision was made meanwhile; the next event carries it out"
    return _update(retried, serving, env, (cause, reason))


def _tell_left_behind(
    event: Event | None, decision: Decision, serving: Stack, env: PromoteEnvironment
) -> None:
    """CloudFormation calls an update complete that could not delete what it took out: that is billed on."""
    if event is None or event.kind != STACK_STATUS or decision.package != NO_CHAMPION:
        return
    left = stack.left_behind(serving)
    if left:
        notify.send(
            env,
            "what was to be removed is still there and may be billed",
            f"The Serving stack shows no model, but could not delete: {'; '.join(left)}.",
            "Look with: classifier cost\nTo remove the endpoint: "
            f"aws sagemaker delete-endpoint --endpoint-name {env.project}",
        )


def _stuck(event: Event | None, serving: Stack, env: PromoteEnvironment) -> str:
    """The stack is in a state only a person can end; said when it gets there, not at every later event."""
    if event is not None and event.kind == STACK_STATUS:
        name = env.serving_stack
        notify.send(
            env,
            f"the stack {name} needs help: {serving.status}",
            f"{name} is {serving.status} and takes no update, so the champion cannot get to the endpoint.",
            "After UPDATE_ROLLBACK_FAILED: "
            f"aws cloudformation continue-update-rollback --stack-name {name}\n"
            f"After a failed creation: delete the stack and run cdk deploy {name} again.",
        )
    return f"nothing: the stack is {serving.status} and has to be put right first"
