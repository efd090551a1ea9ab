"""Bring the endpoint in line with the registry, whatever just happened.

Every invocation, for whatever event or none, does the same two things. First, an approval may become the
newest decision. Then champion (what should serve) and Serving stack (what does) are compared, and the one
step is taken that brings them together: nothing, an update of the stack, or, when the stack rolled that
very update back, the champion goes back and the package is Rejected with the reason. So events may come
twice, late or in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from common import launching, logs, notify
from common.environment import PromoteSettings
from common.events import MODEL_PACKAGE, STACK_STATUS, Event
from promote_model import champion, stack
from promote_model.champion import Decision
from promote_model.stack import Stack

_APPROVED = "Approved"


@dataclass(frozen=True)
class Clients:
    """The services this function talks to."""

    sagemaker: Any
    ssm: Any
    cloudformation: Any


def promote(event: Event | None, settings: PromoteSettings, clients: Clients) -> dict[str, Any]:
    """Take the newest approval into account, then reconcile. Returns what was done and what now holds."""
    if event is not None and event.kind == MODEL_PACKAGE:
        verdict = _consider(event, settings, clients)
        logs.info("approval considered", package=event.text("ModelPackageArn"), verdict=verdict)
    decision = champion.settle(clients.ssm, settings.champion_parameter)
    serving = stack.describe(clients.cloudformation, settings.serving_stack)
    did = _reconcile(event, decision, serving, settings, clients)
    logs.info("reconciled", did=did, champion=decision.package, serving=serving.serving if serving else None)
    return {"did": did, "decided": decision.package, "stack": serving.status if serving else "missing"}


def _consider(event: Event, settings: PromoteSettings, clients: Clients) -> str:
    """Make the event's package the champion if this is its approval, it still holds, and none is newer."""
    arn = event.text("ModelPackageArn")
    changed = event.detail.get("UpdatedModelPackageFields")
    if changed and "ModelApprovalStatus" not in changed:
        return "ignored: the event is of another change than an approval"
    package = _package(arn, clients)
    if package is None:
        return "ignored: there is no such package"
    if package.get("ModelPackageGroupName") != settings.model_package_group:
        return "ignored: the package is of another group"
    if package.get("ModelApprovalStatus") != _APPROVED:
        return f"ignored: the package is {package.get('ModelApprovalStatus')} by now"
    newest = champion.settle(clients.ssm, settings.champion_parameter)
    if event.time <= newest.time:
        return f"ignored: the decision of {newest.time} is newer or the same"
    if newest.package == arn:
        return "ignored: it is the champion already"
    champion.decide(clients.ssm, settings.champion_parameter, arn, event.time, "approved")
    return "champion"


def _reconcile(
    event: Event | None,
    decision: Decision,
    serving: Stack | None,
    settings: PromoteSettings,
    clients: Clients,
) -> str:
    """The one step between what is served and what should be, in words."""
    if serving is None:
        return "nothing: the Serving stack is not deployed; its first deploy reads the champion"
    if serving.busy:
        return f"nothing: the stack is {serving.status}; its end sends an event"
    if serving.serving == decision.package:
        return "nothing: champion and endpoint agree"
    if not serving.updatable:
        return _stuck(event, serving, settings)
    if decision.package != champion.NONE:
        package = _package(decision.package, clients)
        status = package["ModelApprovalStatus"] if package else "deleted"
        if status != _APPROVED:
            return _go_back(decision, serving, f"{decision.package} is {status}", settings, clients)
    if serving.rolled_back:
        last = stack.last_update(clients.cloudformation, serving)
        if last.token == stack.token_of(decision):
            return _failed(decision, serving, last.reason, settings, clients)
    started = stack.update(clients.cloudformation, serving, stack.token_of(decision))
    return f"update of the Serving stack: {started}"


def _failed(
    decision: Decision, serving: Stack, reason: str, settings: PromoteSettings, clients: Clients
) -> str:
    """The stack rolled this decision's update back: package, champion and endpoint have to agree again."""
    text = " ".join(f"rolled back to {serving.serving}: {reason}".split())[:1024]
    if decision.package != champion.NONE:
        clients.sagemaker.update_model_package(
            ModelPackageArn=decision.package, ModelApprovalStatus="Rejected", ApprovalDescription=text
        )
    did = _go_back(decision, serving, f"the update failed: {reason}", settings, clients)
    notify.send(
        settings.notification_topic_arn,
        f"[{settings.project}] a promotion was rolled back",
        f"{decision.package} was approved but did not come up, so {serving.serving} serves as before.",
        f"Why: {reason}",
        "The package is Rejected now. When the cause is put right, approve it again:\n"
        f"aws sagemaker update-model-package --model-package-arn {decision.package} "
        "--model-approval-status Approved",
    )
    return did


def _go_back(
    decision: Decision, serving: Stack, why: str, settings: PromoteSettings, clients: Clients
) -> str:
    """Make what is served the champion again.

    It takes the failed decision's time, not the present: an approval that came meanwhile stays the newer one.
    """
    champion.decide(
        clients.ssm, settings.champion_parameter, serving.serving, decision.time, f"went back: {why}"
    )
    return f"champion goes back to {serving.serving}: {why}"


def _stuck(event: Event | None, serving: Stack, settings: PromoteSettings) -> str:
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


def _package(arn: str, clients: Clients) -> Mapping[str, Any] | None:
    return launching.describe(clients.sagemaker.describe_model_package, ModelPackageName=arn) if arn else None
