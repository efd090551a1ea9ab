"""The stacks as CloudFormation sees them: state, outputs, and mending what an interrupted run left."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from cli import aws
from cli.errors import CdkFailed, NotDeployed
from cli.files import taken
from cli.target import Target

MEND_SECONDS = 3600  # a canary and its bake time may take most of that
_DEAD = {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "REVIEW_IN_PROGRESS", "DELETE_FAILED"}


def status_of(target: Target, stack: str) -> str | None:
    """A stack's status, or None when there is no such stack."""
    described = describe(target, stack)
    return None if described is None else str(described["StackStatus"])


def changes(status: str) -> bool:
    """Whether somebody is changing a stack of that status; one in review was never made."""
    return status.endswith("_IN_PROGRESS") and status != "REVIEW_IN_PROGRESS"


def turn_of(target: Target) -> Path:
    """The lock of whoever deploys or destroys from this checkout."""
    return target.home / f"stacks.{target.kind}.turn"


def half_there(target: Target) -> str:
    """What of a deployment is missing or being removed, and what to do; empty of a whole one, and of none."""
    cloudformation = target.client("cloudformation")
    with ThreadPoolExecutor(len(target.stack_names)) as at_once:
        described = at_once.map(partial(_described, cloudformation), target.stack_names)
        found = {
            name: answer and str(answer["StackStatus"])
            for name, answer in zip(target.stack_names, described, strict=True)
        }
    there = {name: status for name, status in found.items() if status and status != "REVIEW_IN_PROGRESS"}
    missing = [name for name in found if name not in there]
    if not there or not (missing or any(status.startswith("DELETE_") for status in there.values())):
        return ""
    shown = ", ".join(
        name if status.endswith("_COMPLETE") else f"{name} ({status})" for name, status in there.items()
    )
    gone = f"; missing: {', '.join(missing)}" if missing else ""
    if taken(turn_of(target)):
        return f"Another command of this checkout is deploying or destroying. There: {shown}{gone}."
    return (
        f"The deployment is not whole, as after a destroy or an up that was cut short. There: {shown}{gone}. "
        f"To remove the rest: {target.command('destroy')}; to deploy what is missing: {target.command('up')}"
    )


def describe(target: Target, stack: str) -> dict[str, Any] | None:
    """DescribeStacks' answer for one stack, or None when there is no such stack."""
    return _described(target.client("cloudformation"), stack)


def _described(cloudformation: Any, stack: str) -> dict[str, Any] | None:
    answer = aws.found(cloudformation.describe_stacks, StackName=stack)
    return None if answer is None else dict(answer["Stacks"][0])


def outputs_of(described: Mapping[str, Any]) -> dict[str, str]:
    """The outputs in DescribeStacks' answer for one stack."""
    return {item["OutputKey"]: item["OutputValue"] for item in described.get("Outputs", [])}


def outputs(target: Target, stack: str) -> dict[str, str]:
    """The outputs of one of the project's stacks (`storage`, ...). Raises NotDeployed without it."""
    described = describe(target, target.stack(stack))
    if described is None:
        raise NotDeployed(
            f"The stack {target.stack(stack)} is not deployed. Run `{target.command('up')}` first."
        )
    return outputs_of(described)


def template(target: Target, stack: str, **request: str) -> dict[str, Any]:
    """The deployed template of one of the project's stacks; empty for YAML, which CDK does not write."""
    cloudformation = target.client("cloudformation")
    body = cloudformation.get_template(StackName=target.stack(stack), **request)["TemplateBody"]
    return dict(body) if isinstance(body, Mapping) else {}


def resources(target: Target, stack: str) -> list[dict[str, Any]] | None:
    """The summaries of what is in the stack of that name, or None when there is no such stack."""
    if describe(target, stack) is None:
        return None
    cloudformation = target.client("cloudformation")
    made = aws.listed(cloudformation, "list_stack_resources", "StackResourceSummaries", StackName=stack)
    return [each for each in made if each.get("ResourceStatus") != "DELETE_COMPLETE"]


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
    for _ in target.polls(MEND_SECONDS):
        status = status_of(target, stack)
        if status is None or not changes(status):
            return status
        on_wait(f"waiting for {stack} ({status})")
    raise CdkFailed(
        f"The stack {stack} has been in {status} for {MEND_SECONDS} s. Wait for it and run again."
    )
