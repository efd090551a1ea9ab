"""Deciding over models by hand: approve, reject, roll back, sleep and wake.

An approval or rejection is written on the model package, as the AWS console does it, and SageMaker's event
leads on from there. The others are requests to promote-model. What cannot be done is said before anything is
changed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC
from typing import Any

from cli import champion, decisions, waiting
from cli.errors import CdkFailed, CliError
from cli.functions import call
from cli.stacks import describe
from cli.target import Target

WAIT_SECONDS = 5400  # a canary, its bake time and a large model's start
DECISION_SECONDS = 300
HELPLESS = "UPDATE_ROLLBACK_FAILED"


class NoSuchVersion(CliError):
    """No model of that version in this project's registry."""


class NotPossible(CliError):
    """A decision that would lead nowhere; the message says what to do instead."""


def find(target: Target, which: str) -> dict[str, Any]:
    """The model package of a version number or an ARN.

    Raises:
        NoSuchVersion: it is none of this project's, or there is none.
    """
    from botocore.exceptions import ClientError

    group = target.project
    if which.startswith("arn:"):
        match = re.fullmatch(r"arn:[^:]+:sagemaker:[^:]+:\d*:model-package/(?P<group>[^/]+)/\d+", which)
        if match is None or match["group"] != group:
            raise NoSuchVersion(f"{which} is no model of the project {group}. {_there_are(target)}")
        arn = which
    elif which.isdigit():
        arn = _arn(target, which)
    else:
        raise NoSuchVersion(f"{which!r} is neither a version nor an ARN. {_there_are(target)}")
    try:
        return dict(target.client("sagemaker").describe_model_package(ModelPackageName=arn))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
        raise NoSuchVersion(f"There is no version {which}. {_there_are(target)}") from None


def approve(target: Target, which: str, why: str, anyway: bool) -> str:
    """Approves a model, which promotes it; returns what follows.

    Raises:
        NotPossible: it was rejected (and `anyway` is not given), serves already, or the Serving stack needs
            help first.
    """
    package, now = find(target, which), champion.read(target)
    arn, status = package["ModelPackageArn"], package["ModelApprovalStatus"]
    version = arn.rpartition("/")[2]
    if status == "Rejected" and not anyway:
        raise NotPossible(
            f"Version {version} was rejected: {_why(package)}. To promote it all the same: "
            f"classifier approve {version} --anyway{target.option}"
        )
    if now.model == arn:
        raise NotPossible(f"Version {version} is the champion already.")
    _must_be_updatable(target)
    if status == "Approved":  # only a change sends an event
        _write(target, arn, "PendingManualApproval", "asked for again")
    _write(target, arn, "Approved", why)
    return f"Version {version} is approved; it is promoted now."


def reject(target: Target, which: str, why: str) -> str:
    """Rejects a model; returns what follows.

    Raises:
        NotPossible: it is the champion, or was rejected before.
    """
    package, now = find(target, which), champion.read(target)
    arn = package["ModelPackageArn"]
    version = arn.rpartition("/")[2]
    if now.model == arn:
        raise NotPossible(
            f"Version {version} is the champion. To return to the one before: classifier rollback"
            f"{target.option}; to take the endpoint away: classifier sleep{target.option}"
        )
    if package["ModelApprovalStatus"] == "Rejected":
        raise NotPossible(f"Version {version} was rejected before: {_why(package)}")
    _write(target, arn, "Rejected", why)
    return f"Version {version} is rejected."


def ask(target: Target, action: str, why: str, model: str = "") -> dict[str, Any]:
    """Asks promote-model for an action; `model` is the champion the user has seen."""
    _must_be_updatable(target)
    request = {"action": action, "why": why, **({"model": model} if model else {})}
    return call(target, "promote-model", request)


def await_decision(target: Target, arn: str) -> None:
    """Until an approval has become the champion, or was undone again; its event takes a moment.

    Raises:
        NotPossible: somebody decided for another model after it, or nothing came of it within some minutes.
    """
    deadline = time.monotonic() + DECISION_SECONDS
    while (now := champion.read(target)).model != arn:
        package = find(target, arn)
        if package["ModelApprovalStatus"] != "Approved":
            return
        approved = package["LastModifiedTime"].astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if now.time > approved:  # of one second both may still come
            version = arn.rpartition("/")[2]
            raise NotPossible(
                f"Version {version} is approved, but somebody decided for version {now.version} after that: "
                f"the newest decision counts. To promote version {version} now: classifier approve "
                f"{version}{target.option}"
            )
        if time.monotonic() > deadline:
            raise NotPossible(
                f"{arn} is approved, and is no champion after {DECISION_SECONDS} s. Look at the log group "
                f"/aws/lambda/{target.project}-promote-model."
            )
        time.sleep(target.poll_seconds)


def must_serve(target: Target, arn: str) -> None:
    """After the wait: whether the approved model is what serves.

    Raises:
        NotPossible: it was taken back, or another decision came after it.
    """
    now, package = champion.read(target), find(target, arn)
    version = arn.rpartition("/")[2]
    if package["ModelApprovalStatus"] == "Rejected":
        raise NotPossible(f"Version {version} was taken back: {_why(package)}. {_standing(target, now)}")
    if now.waits == arn:
        raise NotPossible(f"Version {version} waits: {waiting.told(waiting.of(now), version)}")
    if now.value != arn:
        raise NotPossible(f"Version {version} was overtaken by a newer decision. {_standing(target, now)}")


def must_be_awake(target: Target) -> None:
    """After the wait: whether the model that was woken is awake.

    Raises:
        NotPossible: it sleeps on.
    """
    now = champion.read(target)
    if now.asleep:
        why = now.went_back or "somebody put it to sleep again"
        raise NotPossible(f"Version {now.version} did not wake up, and sleeps on: {why}")


def wait(target: Target, on_change: Callable[[str], None]) -> str:
    """Until the Serving stack has carried out what was decided; returns how things stand then.

    Raises:
        CdkFailed: it did not within an hour and a half.
    """
    deadline, told = time.monotonic() + WAIT_SECONDS, ""
    while True:
        now = champion.read(target)
        stack = describe(target, target.stack("serving")) or {}
        status = str(stack.get("StackStatus", "not deployed"))
        if status != told:
            on_change(f"stack {target.stack('serving')}: {status}")
            told = status
        outputs = {each["OutputKey"]: each["OutputValue"] for each in stack.get("Outputs", [])}
        settled = not status.endswith("_IN_PROGRESS")
        if settled and (not stack or outputs.get("Champion") == now.value):
            return _standing(target, now)
        if status == HELPLESS:
            _must_be_updatable(target)
        if time.monotonic() > deadline:
            raise CdkFailed(f"{target.stack('serving')} is still {status}; look with `classifier status`.")
        time.sleep(target.poll_seconds)


def _standing(target: Target, now: champion.Champion) -> str:
    if not now.model or now.asleep:
        pages = target.client("sagemaker").get_paginator("list_endpoints")
        found = pages.paginate(NameContains=target.project)
        if any(each["EndpointName"] == target.project for page in found for each in page["Endpoints"]):
            return (
                f"No model is to serve, but the endpoint {target.project} is still there and billed: the "
                "stack could not remove it, its events say why. To remove it: "
                f"aws sagemaker delete-endpoint --endpoint-name {target.project}"
            )
    if now.asleep:
        return f"Version {now.version} sleeps: there is no endpoint, nothing is billed per hour."
    return f"Version {now.version} serves." if now.model else "No model serves."


def _must_be_updatable(target: Target) -> None:
    name = target.stack("serving")
    if (describe(target, name) or {}).get("StackStatus") == HELPLESS:
        raise NotPossible(
            f"The stack {name} is {HELPLESS} and takes no update. Put it right first: `classifier up"
            f"{target.option}` continues the rollback, or: aws cloudformation continue-update-rollback "
            f"--stack-name {name}"
        )


def _write(target: Target, arn: str, status: str, why: str) -> None:
    target.client("sagemaker").update_model_package(
        ModelPackageArn=arn, ModelApprovalStatus=status, ApprovalDescription=decisions.in_words(why)
    )


def _why(package: dict[str, Any]) -> str:
    _, why = decisions.of_package(package.get("ApprovalDescription", ""))
    return why or "no reason was given"


def _arn(target: Target, version: str) -> str:
    partition = "aws" if target.is_local else target.client("sts").get_caller_identity()["Arn"].split(":")[1]
    place = f"arn:{partition}:sagemaker:{target.region}:{target.account()}"
    return f"{place}:model-package/{target.project}/{version}"


def _there_are(target: Target) -> str:
    from botocore.exceptions import ClientError

    try:
        listed = target.client("sagemaker").list_model_packages(
            ModelPackageGroupName=target.project, SortBy="CreationTime", SortOrder="Descending", MaxResults=20
        )["ModelPackageSummaryList"]
    except ClientError:
        listed = []
    versions = [
        f"{each['ModelPackageArn'].rpartition('/')[2]} ({each['ModelApprovalStatus']})" for each in listed
    ]
    return f"There are: {', '.join(versions) or 'none yet'}."
