"""Bring the endpoint in line with the registry, whatever just happened.

Every invocation, for whatever event, request or none, does the same two things. First, an approval, a
rejection of the champion, a person's request (actions.py), or a model that has waited long enough
(waiting.py) may become the newest decision. Then champion (what should serve) and Serving stack (what does)
are compared, and the one step is taken that brings them together: nothing, an update of the stack, or, when
the stack rolled that very update back, the champion goes back. The package is Rejected then if the model was
to blame (causes.py), and waits if not. So events may come twice, late or in any order.
"""

from __future__ import annotations

from typing import Any

from contract.environment import PromoteEnvironment
from functions.common import champion, logs, notify
from functions.common.champion import Decision
from functions.common.decisions import Code, Reason, Waiting, package_text
from functions.common.events import ENDPOINT, MODEL_PACKAGE, STACK_STATUS, Event
from functions.promote_model import actions, causes, instances, stack, waiting
from functions.promote_model.actions import APPROVED, REJECTED, Clients
from functions.promote_model.causes import Cause
from functions.promote_model.stack import Stack


def promote(event: Event | None, settings: PromoteEnvironment, clients: Clients) -> dict[str, Any]:
    """Take the newest approval into account, then reconcile. Returns what was done and what now holds."""
    if event is not None and event.kind == MODEL_PACKAGE:
        verdict = _consider(event, settings, clients)
        logs.info("approval considered", package=event.text("ModelPackageArn"), verdict=verdict)
    if event is not None and event.kind == ENDPOINT:
        verdict = instances.note_failure(event, settings, clients)
        logs.info("endpoint's failure considered", verdict=verdict)
    return reconcile(event, settings, clients)


def reconcile(event: Event | None, settings: PromoteEnvironment, clients: Clients) -> dict[str, Any]:
    """Take the one step that brings champion and Serving stack together."""
    decision = champion.settle(clients.ssm, settings.champion_parameter)
    serving = stack.describe(clients.cloudformation, settings.serving_stack)
    if serving is not None and not serving.busy and serving.serving == decision.package:
        decision = waiting.go_on(decision, serving, settings, clients)
    did = _reconcile(event, decision, serving, settings, clients)
    logs.info("reconciled", did=did, champion=decision.package, serving=serving.serving if serving else None)
    return {
        "did": did,
        "decided": decision.package,
        "champion": decision.model,
        "asleep": bool(decision.asleep),
        "waits": decision.waits.package if decision.waits else "",
        "stack": serving.status if serving else "missing",
    }


def _consider(event: Event, settings: PromoteEnvironment, clients: Clients) -> str:
    """Make the event's package the champion if this is its approval, it still holds, and none is newer.

    A champion that was rejected since, in the console for example, gives way to the one before it. An
    approval wakes an endpoint that sleeps: a release is proven when it is made, not at the next request.
    """
    arn = event.text("ModelPackageArn")
    changed = event.detail.get("UpdatedModelPackageFields")
    if isinstance(changed, list | dict) and changed and "ModelApprovalStatus" not in changed:
        return "ignored: the event is of another change than an approval"
    package = actions.package(arn, settings, clients)
    if package is None:
        return "ignored: this project has no such package"
    status = package.get("ModelApprovalStatus")
    newest = champion.settle(clients.ssm, settings.champion_parameter)
    if status == REJECTED and event.text("ModelApprovalStatus") == REJECTED and newest.model == arn:
        return actions.leave_rejected(newest, event.time, settings, clients)
    if status != APPROVED or event.text("ModelApprovalStatus") == REJECTED:
        return f"ignored: the package is {status} by now"
    if event.time < newest.since:
        return f"ignored: the decision of {newest.since} is newer"
    # Events have whole seconds: of one second, only this very approval is known to be an old one.
    if event.time == newest.since and champion.chosen(
        clients.ssm, settings.champion_parameter, arn, event.time
    ):
        return f"ignored: the approval of {event.time} was taken into account before"
    if newest.model == arn:
        return "ignored: it is the champion already"
    # Sleeping and waking are newer than the model they were about, but no reason to lose an approval.
    time = max(event.time, newest.time)
    champion.decide(
        clients.ssm, settings.champion_parameter, arn, time, Reason(Code.APPROVED), since=event.time
    )
    return "champion"


def _reconcile(
    event: Event | None,
    decision: Decision,
    serving: Stack | None,
    settings: PromoteEnvironment,
    clients: Clients,
) -> str:
    """The one step between what is served and what should be, in words."""
    if serving is None:
        return "nothing: the Serving stack is not deployed; its first deploy reads the champion"
    if serving.busy:
        return f"nothing: the stack is {serving.status}; its end sends an event"
    if serving.serving == decision.package:
        _tell_left_behind(event, decision, serving, settings, clients)
        return "nothing: champion and endpoint agree"
    if not serving.updatable:
        return _stuck(event, serving, settings)
    if decision.package != champion.NONE:
        package = actions.package(decision.package, settings, clients)
        status = package["ModelApprovalStatus"] if package else "no package of this project"
        if status != APPROVED:
            reason = Reason(Code.NOT_APPROVED, f"{decision.package} is {status}")
            return _go_back(decision, serving, reason, settings, clients)
    if serving.rolled_back:
        last = stack.last_update(clients.cloudformation, serving)
        if last.token == stack.token_of(decision):
            return _failed(decision, serving, last.reason, settings, clients)
    return _update(decision, serving, settings, clients)


def _update(
    decision: Decision,
    serving: Stack,
    settings: PromoteEnvironment,
    clients: Clients,
    before: tuple[Cause, str] = (Cause.QUOTA, ""),
) -> str:
    """Let the Serving stack follow the decision, on an instance type the account may have.

    Args:
        before: why the type that was tried before failed.
    """
    is_made = decision.package != champion.NONE and serving.serving == champion.NONE
    if is_made and settings.instance_types and not instances.choose(settings, decision.tried, clients):
        cause, why = before
        types = ", ".join(settings.instance_types)
        reason = f"no quota for {settings.min_instances} instances of any of {types}"
        return _give_up(decision, serving, cause, why or reason, settings, clients)
    started = stack.update(clients.cloudformation, serving, stack.token_of(decision))
    return f"update of the Serving stack: {started}"


def _failed(
    decision: Decision, serving: Stack, reason: str, settings: PromoteEnvironment, clients: Clients
) -> str:
    """The stack rolled this decision's update back: package, champion and endpoint have to agree again."""
    if decision.package == champion.NONE:
        return _did_not_sleep(decision, serving, reason, settings, clients)
    cause, said = causes.of(reason), instances.failure_since(decision.written, settings, clients.ssm)
    if said and cause is Cause.MODEL:  # CloudFormation may only say that it did not come up
        cause, reason = causes.of(said), f"{reason} ({said})"
    logs.info("the update failed", cause=cause, why=reason, package=decision.package)
    if (
        cause in (Cause.QUOTA, Cause.CAPACITY)
        and serving.serving == champion.NONE
        and settings.instance_types
    ):
        return _next_type(decision, serving, cause, reason, settings, clients)
    return _give_up(decision, serving, cause, reason, settings, clients)


def _next_type(
    decision: Decision,
    serving: Stack,
    cause: Cause,
    reason: str,
    settings: PromoteEnvironment,
    clients: Clients,
) -> str:
    """AWS had no instance of the type that was taken: the same decision, with that type left out."""
    tried = (*decision.tried, instances.taken(clients.ssm, settings))
    again = champion.decide(
        clients.ssm,
        settings.champion_parameter,
        decision.package,
        decision.time,
        Reason(decision.reason.code, reason),
        since=decision.since,
        waiting=decision.waiting,
        tried=tried,
    )
    if (again.package, again.tried) != (decision.package, tried):
        return "nothing: a newer decision was made meanwhile; the next event carries it out"
    return _update(again, serving, settings, clients, (cause, reason))


def _give_up(
    decision: Decision,
    serving: Stack,
    cause: Cause,
    reason: str,
    settings: PromoteEnvironment,
    clients: Clients,
) -> str:
    """Take a decision back that could not be carried out, in the way that its cause asks for."""
    if decision.reason.code is Code.WOKEN:
        return _did_not_wake(decision, serving, reason, settings, clients)
    if cause is not Cause.MODEL:
        waits = waiting.after(decision, cause)
        did = _go_back(decision, serving, Reason(Code.WAITS, reason), settings, clients, waits)
        waiting.tell(waits, serving, reason, settings)
        return did
    clients.sagemaker.update_model_package(
        ModelPackageArn=decision.package,
        ModelApprovalStatus=REJECTED,
        ApprovalDescription=package_text(
            Reason(Code.FAILED_UPDATE, f"rolled back to {serving.serving}: {reason}")
        ),
    )
    did = _go_back(decision, serving, Reason(Code.FAILED_UPDATE, reason), settings, clients)
    notify.send(
        settings.notification_topic_arn,
        f"[{settings.project}] a promotion was rolled back",
        f"{decision.package} was approved but did not come up, so {serving.serving} serves as before.",
        f"Why: {reason}",
        "The package is Rejected now. When the cause is put right, approve it again:\n"
        + notify.approve_command(decision.package),
    )
    return did


def _did_not_wake(
    decision: Decision, serving: Stack, reason: str, settings: PromoteEnvironment, clients: Clients
) -> str:
    """A champion that served before is not to blame at once (AWS may have no instance left): it sleeps on."""
    did = _go_back(decision, serving, Reason(Code.DID_NOT_WAKE, reason), settings, clients)
    notify.send(
        settings.notification_topic_arn,
        f"[{settings.project}] the endpoint did not wake up",
        f"{decision.package} was to serve again, but the Serving stack rolled back. It sleeps on, and the "
        "next request wakes it again.",
        f"Why: {reason}",
        "To try again now: classifier wake\nTo return to the version before: classifier rollback",
    )
    return did


def _did_not_sleep(
    decision: Decision, serving: Stack, reason: str, settings: PromoteEnvironment, clients: Clients
) -> str:
    """An endpoint that could not be removed is the one surprise on a bill that has to be told of."""
    did = _go_back(decision, serving, Reason(Code.NOT_REMOVED, reason), settings, clients)
    notify.send(
        settings.notification_topic_arn,
        f"[{settings.project}] the endpoint could not be put to sleep and is still billed",
        f"The Serving stack was to remove the endpoint and rolled back; {serving.serving} serves as before.",
        f"Why: {reason}",
        "To try again: classifier sleep\nTo remove everything: classifier destroy",
    )
    return did


def _tell_left_behind(
    event: Event | None, decision: Decision, serving: Stack, settings: PromoteEnvironment, clients: Clients
) -> None:
    """CloudFormation calls an update complete that could not delete what it took out: that is billed on."""
    if event is None or event.kind != STACK_STATUS or decision.package != champion.NONE:
        return
    left = stack.left_behind(clients.cloudformation, serving)
    if left:
        notify.send(
            settings.notification_topic_arn,
            f"[{settings.project}] what was to be removed is still there and may be billed",
            f"The Serving stack shows no model, but could not delete: {'; '.join(left)}.",
            "Look with: classifier cost\nTo remove the endpoint: "
            f"aws sagemaker delete-endpoint --endpoint-name {settings.project}",
        )


def _go_back(
    decision: Decision,
    serving: Stack,
    reason: Reason,
    settings: PromoteEnvironment,
    clients: Clients,
    waits: Waiting | None = None,
) -> str:
    """Make what is served the champion again; if nothing is served because the last one slept, it sleeps on.

    It takes the failed decision's time, not the present: an approval that came meanwhile stays the newer one.
    """
    parameter = settings.champion_parameter
    earlier = [each for each in champion.history(clients.ssm, parameter) if each.version < decision.version]
    before = next((each for each in reversed(earlier) if each.package == serving.serving), None)
    champion.decide(
        clients.ssm,
        parameter,
        serving.serving,
        decision.time,
        reason,
        asleep=before.asleep if before else "",
        since=decision.since,
        waiting=waits,
    )
    return f"champion goes back to {serving.serving}: {reason.why}"


def _stuck(event: Event | None, serving: Stack, settings: PromoteEnvironment) -> str:
    """The stack is in a state only a person can end; said when it gets there, not at every later event."""
    if event is not None and event.kind == STACK_STATUS:
        name = settings.serving_stack
        notify.send(
            settings.notification_topic_arn,
            f"[{settings.project}] the stack {name} needs help: {serving.status}",
            f"{name} is {serving.status} and takes no update, so the champion cannot get to the endpoint.",
            "After UPDATE_ROLLBACK_FAILED: "
            f"aws cloudformation continue-update-rollback --stack-name {name}\n"
            f"After a failed creation: delete the stack and run cdk deploy {name} again.",
        )
    return f"nothing: the stack is {serving.status} and has to be put right first"
