"""The stacks as CloudFormation sees them: state, outputs, and mending what an interrupted run left."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from cli.errors import CdkFailed, NotDeployed
from cli.target import Target

MEND_SECONDS = 3600  # a canary and its bake time may take most of that
_DEAD = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS", "DELETE_FAILED"}


def status_of(target: Target, stack: str) -> str | None:
    """A stack's status, or None when there is no such stack."""
    found = describe(target, stack)
    return None if found is None else str(found["StackStatus"])


def describe(target: Target, stack: str) -> dict[str, Any] | None:
    """DescribeStacks' answer for one stack, or None when there is no such stack."""
    from botocore.exceptions import ClientError

    try:
        return dict(target.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise


def outputs(target: Target, stack: str) -> dict[str, str]:
    """The outputs of one of the project's stacks (`storage`, `api`, ...).

    Raises:
        NotDeployed: it is not there.
    """
    found = describe(target, target.stack(stack))
    if found is None:
        raise NotDeployed(
            f"The stack {target.stack(stack)} is not deployed. Run `classifier up{target.option}` first."
        )
    return {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])}


def mend(target: Target, on_wait: Callable[[str], None] = lambda what: None) -> None:
    """Brings the stacks an interrupted run left into a state a new deployment can start from.

    Work in progress is waited for; a stack that never came to life is deleted (it holds nothing yet); a
    failed rollback is continued.
    """
    cloudformation = target.client("cloudformation")
    for stack in reversed(target.stack_names):
        status = settled(target, stack, on_wait)
        if status in _DEAD:
            cloudformation.delete_stack(StackName=stack)
            if (left := settled(target, stack, on_wait)) is not None:
                why = (describe(target, stack) or {}).get("StackStatusReason", "its events say why.")
                raise CdkFailed(
                    f"The stack {stack} is stuck in {left}: {why}\nPut that right and run again, or delete "
                    "the stack and leave what it cannot delete: aws cloudformation delete-stack --stack-name "
                    f"{stack} --deletion-mode FORCE_DELETE_STACK"
                )
        elif status == "UPDATE_ROLLBACK_FAILED":
            cloudformation.continue_update_rollback(StackName=stack)
            settled(target, stack, on_wait)


def settled(target: Target, stack: str, on_wait: Callable[[str], None]) -> str | None:
    """A stack's status as soon as nothing is under way; None when there is no such stack."""
    deadline = time.monotonic() + MEND_SECONDS
    while True:
        status = status_of(target, stack)
        if status is None or not status.endswith("_IN_PROGRESS") or status == "REVIEW_IN_PROGRESS":
            return status
        if time.monotonic() > deadline:
            raise CdkFailed(
                f"The stack {stack} has been in {status} for {MEND_SECONDS} s. Wait for it and run again."
            )
        on_wait(f"waiting for {stack} ({status})")
        time.sleep(target.poll_seconds)
