"""Taking a decision back that could not be carried out.

The champion is again what the endpoint serves. The approved package is Rejected if the model was to blame
(causes.py), and waits if not (waiting.py). What serves on is Approved, also if it was rejected to be left. A
person is mailed what happened and what to do.
"""

from __future__ import annotations

from contract.decisions import Decision, Outcome, Reason
from contract.environment import PromoteEnvironment
from contract.waiting import Cause, Waiting
from functions.common import champion, notify
from functions.common.clients import client
from functions.promote_model import actions, waiting
from functions.promote_model.actions import APPROVED, REJECTED
from functions.promote_model.stack import Stack


def give_up(decision: Decision, serving: Stack, cause: Cause, reason: str, env: PromoteEnvironment) -> str:
    """Take a decision back that could not be carried out, in the way that its cause asks for."""
    if decision.reason.outcome is Outcome.WOKEN:
        return _did_not_wake(decision, serving, reason, env)
    if cause is not Cause.MODEL:
        waits = waiting.after(decision, cause)
        did = go_back(decision, serving, Reason(Outcome.WAITS, reason), env, waits)
        waiting.tell(waits, serving, reason, env)
        return did
    client("sagemaker").update_model_package(
        ModelPackageArn=decision.package,
        ModelApprovalStatus=REJECTED,
        ApprovalDescription=Reason(Outcome.FAILED_UPDATE, reason, back_to=serving.serving).text(),
    )
    did = go_back(decision, serving, Reason(Outcome.FAILED_UPDATE, reason), env)
    notify.send(
        env,
        "a promotion was rolled back",
        f"{decision.package} was approved but did not come up, so {serving.serving} serves as before.",
        f"Why: {reason}",
        "The package is Rejected now. When the cause is put right, approve it again:\n"
        + notify.approve_command(decision.package),
    )
    return did


def _did_not_wake(decision: Decision, serving: Stack, reason: str, env: PromoteEnvironment) -> str:
    """A champion that served before is not to blame at once (AWS may have no instance left): it sleeps on."""
    did = go_back(decision, serving, Reason(Outcome.DID_NOT_WAKE, reason), env)
    notify.send(
        env,
        "the endpoint did not wake up",
        f"{decision.package} was to serve again, but the Serving stack rolled back. It sleeps on, and the "
        "next request wakes it again.",
        f"Why: {reason}",
        "To try again now: classifier wake\nTo return to the version before: classifier rollback",
    )
    return did


def did_not_sleep(decision: Decision, serving: Stack, reason: str, env: PromoteEnvironment) -> str:
    """An endpoint that could not be removed is the one surprise on a bill that has to be told of."""
    did = go_back(decision, serving, Reason(Outcome.NOT_REMOVED, reason), env)
    notify.send(
        env,
        "the endpoint could not be put to sleep and is still billed",
        f"The Serving stack was to remove the endpoint and rolled back; {serving.serving} serves as before.",
        f"Why: {reason}",
        "To try again: classifier sleep\nTo remove everything: classifier destroy",
    )
    return did


def go_back(
    decision: Decision, serving: Stack, reason: Reason, env: PromoteEnvironment, waits: Waiting | None = None
) -> str:
    """Make what is served the champion again; if nothing is served because the last one slept, it sleeps on.

    It takes the failed decision's time, not the present: an approval that came meanwhile stays the newer one.
    """
    parameter = env.champion_parameter
    earlier = [each for each in champion.history(parameter) if each.version < decision.version]
    before = next((each for each in reversed(earlier) if each.package == serving.serving), None)
    now = champion.decide(
        parameter,
        serving.serving,
        decision.time,
        reason,
        asleep=before.asleep if before else "",
        since=decision.since,
        waiting=waits,
    )
    if now.package == serving.serving:
        _serves_on(now.package, reason.why, env)
    return f"champion goes back to {serving.serving}: {reason.why}"


def _serves_on(model: str, why: str, env: PromoteEnvironment) -> None:
    """Let the registry say that a model serves which was rejected when it was to be left: it could not be
    woken otherwise.

    The event of this approval finds it the champion already.
    """
    package = actions.package(model, env)
    if package is None or package["ModelApprovalStatus"] != REJECTED:
        return
    client("sagemaker").update_model_package(
        ModelPackageArn=model,
        ModelApprovalStatus=APPROVED,
        ApprovalDescription=Reason(Outcome.SERVES_ON, why).text(),
    )
    notify.send(
        env,
        "a model that was to be left serves on",
        f"{model} was rejected, or rolled back from, but the endpoint could not be changed. It serves on, so "
        "it is Approved again.",
        f"Why: {why}",
        "To leave it: classifier approve another version, or classifier sleep",
    )
