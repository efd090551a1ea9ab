"""Deciding by hand which model serves: approve, reject, roll back, sleep and wake.

An approval or rejection is written on the model package, and SageMaker's event leads on from there. The
others are requests to promote-model. What cannot be done is said before anything is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cli import aws
from cli.errors import CdkFailed, CliError
from cli.release import candidate, champion, registry
from cli.stacks import describe, outputs_of
from cli.target import Target
from contract.decisions import WENT_BACK, Decision, Outcome, time_of
from contract.names import CLASSES_DIGEST, GATE_OUTCOME, NO_CHAMPION, function, log_of, version_of

WAIT_SECONDS = 5400  # a canary, its bake time and a large model's start
DECISION_SECONDS = 300
HELPLESS = "UPDATE_ROLLBACK_FAILED"


class NotPossible(CliError):
    """A decision that would lead nowhere; the message says what to do instead."""


def approve(target: Target, which: str, why: str, anyway: bool) -> str:
    """Approves a model, which promotes it; returns what follows.

    Raises:
        NotPossible: it was rejected (and `anyway` is not given), serves already, or the Serving stack needs
            help first.
    """
    package, now = registry.find(target, which), champion.read(target)
    arn, status = package["ModelPackageArn"], package["ModelApprovalStatus"]
    version = version_of(arn)
    if status == "Rejected" and not anyway:
        raise NotPossible(
            f"Version {version} was rejected: {registry.why_of(package)}. To promote it all the same: "
            f"{target.command(f'approve {version} --anyway')}"
        )
    if now.model == arn:
        raise NotPossible(f"Version {version} is the champion already.")
    if _compared(target, arn):
        raise NotPossible(
            f"Version {version} is approved already, and is compared with the champion before it serves. To "
            f"let it serve at once: {target.command(f'reject {version}')}, then "
            f"{target.command(f'approve {version} --anyway')}"
        )
    _must_be_updatable(target)
    if status == "Approved":  # only a change sends an event
        registry.write_approval(target, arn, "PendingManualApproval", "asked for again")
    registry.write_approval(target, arn, "Approved", why)
    return f"Version {version} is approved; it is promoted now."


def other_classes(target: Target, package: Mapping[str, Any]) -> str:
    """That a model which was not judged for it would give callers other classes than now, in words.

    Nothing where the gate has said so, where no model has callers, or where nobody knows.
    """
    answers = champion.read(target).model
    if answers in (NO_CHAMPION, package["ModelPackageArn"]):
        return ""
    metadata = package.get("CustomerMetadataProperties", {})
    before = registry.find(target, answers).get("CustomerMetadataProperties", {})
    digests = [each.get(CLASSES_DIGEST, "") for each in (metadata, before)]
    if metadata.get(GATE_OUTCOME) == Outcome.OTHER_CLASSES or not all(digests) or len(set(digests)) == 1:
        return ""
    new, old = (each.get("dataset", "another data set") for each in (metadata, before))
    return (
        f"Version {version_of(package['ModelPackageArn'])} was trained on {new}, and tells other classes "
        f"apart than version {version_of(answers)}, of {old}. Whoever calls the API gets the new ones from "
        "then on, at the same address."
    )


def reject(target: Target, which: str, why: str) -> str:
    """Rejects a model; returns what follows. Raises NotPossible for the champion and for a rejected one."""
    package, now = registry.find(target, which), champion.read(target)
    arn = package["ModelPackageArn"]
    version = version_of(arn)
    if now.model == arn:
        raise NotPossible(
            f"Version {version} is the champion. To return to the one before: "
            f"{target.command('rollback')}; to take the endpoint away: {target.command('sleep')}"
        )
    if package["ModelApprovalStatus"] == "Rejected":
        raise NotPossible(f"Version {version} was rejected before: {registry.why_of(package)}")
    registry.write_approval(target, arn, "Rejected", why)
    return f"Version {version} is rejected."


def ask(target: Target, action: str, why: str, model: str = "") -> dict[str, Any]:
    """Asks promote-model for an action; `model` is the champion the user has seen."""
    _must_be_updatable(target)
    request = {"action": action, "why": why, **({"model": model} if model else {})}
    return aws.invoke(target, "promote-model", request)


def await_decision(target: Target, arn: str) -> None:
    """Until an approval has become the champion or the candidate, or was undone again; its event takes a
    moment.

    Raises:
        NotPossible: somebody decided for another model after it, or nothing came of it within some minutes.
    """
    for _ in target.polls(DECISION_SECONDS):
        if (now := champion.read(target)).model == arn or _compared(target, arn):
            return
        package = registry.find(target, arn)
        if package["ModelApprovalStatus"] != "Approved":
            return
        if now.time > time_of(package["LastModifiedTime"]):  # of one second both may still come
            version = version_of(arn)
            raise NotPossible(
                f"Version {version} is approved, but somebody decided for version {version_of(now.model)} "
                f"after that: the newest decision counts. To promote version {version} now: "
                f"{target.command(f'approve {version}')}"
            )
    raise NotPossible(
        f"Version {version_of(arn)} is approved, and is no champion after {DECISION_SECONDS} s. "
        f"Look at the log group {log_of(function(target.project, 'promote-model'))}."
    )


def must_serve(target: Target, arn: str) -> None:
    """After the wait: raises NotPossible unless the approved model is what serves, or is compared first."""
    now, package = champion.read(target), registry.find(target, arn)
    version = version_of(arn)
    if package["ModelApprovalStatus"] == "Rejected":
        raise NotPossible(
            f"Version {version} was taken back: {registry.why_of(package)}. {_standing(target, now)}"
        )
    if now.waits is not None and now.waits.package == arn:
        raise NotPossible(f"Version {version} waits: {champion.waiting_in_words(now, target.option)}")
    if now.package != arn and not _compared(target, arn):
        raise NotPossible(f"Version {version} was overtaken by a newer decision. {_standing(target, now)}")


def must_be_awake(target: Target) -> None:
    """After the wait: raises NotPossible unless the model that was woken is awake."""
    now = champion.read(target)
    if now.asleep:
        taken_back = now.reason.outcome in WENT_BACK and now.reason.why
        why = taken_back or "somebody put it to sleep again"
        raise NotPossible(f"Version {version_of(now.model)} did not wake up, and sleeps on: {why}")


def wait(target: Target, on_change: Callable[[str], None]) -> str:
    """Until the stack has carried out the decision; returns how things stand. Raises CdkFailed when late."""
    before = ""
    for _ in target.polls(WAIT_SECONDS):
        now = champion.read(target)
        stack = describe(target, target.stack("serving")) or {}
        status = str(stack.get("StackStatus", "not deployed"))
        if status != before:
            on_change(f"stack {target.stack('serving')}: {status}")
            before = status
        settled, shown = not status.endswith("_IN_PROGRESS"), outputs_of(stack)
        beside = candidate.read(target, stack)
        compared = shown.get(candidate.OUTPUT, NO_CHAMPION) == (beside.package if beside else NO_CHAMPION)
        if settled and (not stack or (shown.get("Champion") == now.package and compared)):
            also = f" And {candidate.in_words(beside, target.option)}." if beside else ""
            return f"{_standing(target, now)}{also}"
        if status == HELPLESS:
            _must_be_updatable(target)
    raise CdkFailed(f"{target.stack('serving')} is still {status}; look with `{target.command('status')}`.")


def _compared(target: Target, arn: str) -> bool:
    beside = candidate.read(target)
    return beside is not None and beside.package == arn


def _standing(target: Target, now: Decision) -> str:
    if now.package == NO_CHAMPION and aws.endpoint(target) is not None:
        return (
            f"No model is to serve, but the endpoint {target.project} is still there and billed: the "
            "stack could not remove it, its events say why. To remove it: "
            f"aws sagemaker delete-endpoint --endpoint-name {target.project}"
        )
    if now.asleep:
        return f"Version {version_of(now.model)} sleeps: there is no endpoint, nothing is billed per hour."
    return "No model serves." if now.model == NO_CHAMPION else f"Version {version_of(now.model)} serves."


def _must_be_updatable(target: Target) -> None:
    name = target.stack("serving")
    if (describe(target, name) or {}).get("StackStatus") == HELPLESS:
        raise NotPossible(
            f"The stack {name} is {HELPLESS} and takes no update. Put it right first: "
            f"`{target.command('up')}` continues the rollback, or: aws cloudformation "
            f"continue-update-rollback --stack-name {name}"
        )
