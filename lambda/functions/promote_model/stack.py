"""The Serving stack as promote-model sees it: what it serves, whether it can be updated, how its last update
went.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_UpdateStack.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from botocore.exceptions import ClientError

from contract.aws_errors import code_of
from contract.candidates import Candidate
from contract.decisions import Decision
from functions.common import sentences
from functions.common.clients import client

OUTPUT = "Champion"
"""The stack's output with the package it was last deployed with, or `none`."""
CANDIDATE_OUTPUT = "Candidate"
"""The same with the package that shadows it, where models are compared before they serve."""

_UPDATABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE")


@dataclass(frozen=True)
class Stack:
    """The stack now. A rolled-back stack shows the outputs it had before the update."""

    id: str
    status: str
    serving: str
    parameters: tuple[str, ...]
    capabilities: tuple[str, ...]
    candidate: str | None = None
    """None: its template knows no candidate."""

    @property
    def busy(self) -> bool:
        """An update is under way; its end sends an event."""
        return self.status.endswith("_IN_PROGRESS")

    @property
    def updatable(self) -> bool:
        return self.status in _UPDATABLE

    @property
    def rolled_back(self) -> bool:
        return self.status == "UPDATE_ROLLBACK_COMPLETE"


@dataclass(frozen=True)
class LastUpdate:
    """The stack's last update: whose it was, and the first thing that failed in it."""

    token: str
    reason: str


def describe(name: str) -> Stack | None:
    """The stack, or None when it is not deployed."""
    try:
        found = client("cloudformation").describe_stacks(StackName=name)["Stacks"][0]
    except ClientError as error:
        if sentences.no_such_stack(error):
            return None
        raise
    outputs = {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}
    return Stack(
        id=found["StackId"],
        status=found["StackStatus"],
        serving=outputs.get(OUTPUT, ""),
        parameters=tuple(each["ParameterKey"] for each in found.get("Parameters", [])),
        capabilities=tuple(found.get("Capabilities", [])),
        candidate=outputs.get(CANDIDATE_OUTPUT),
    )


def token_of(decision: Decision, beside: Candidate | None) -> str:
    """The request token of the update that carries out a decision: how its own failure is told from
    others'.

    Args:
        beside: the candidate, where models are compared before they serve.
    """
    candidate = f"-c{beside.version}" if beside is not None else ""
    return f"promote-v{decision.version}-{sha256(decision.package.encode()).hexdigest()[:16]}{candidate}"


def update(stack: Stack, token: str) -> str:
    """Let CloudFormation read the parameter anew: `started`, `unchanged` or `busy`.

    The stack keeps its template, its other parameters and the role it was made with.
    """
    try:
        client("cloudformation").update_stack(
            StackName=stack.id,
            UsePreviousTemplate=True,
            Parameters=[{"ParameterKey": key, "UsePreviousValue": True} for key in stack.parameters],
            Capabilities=list(stack.capabilities),
            ClientRequestToken=token,
        )
    except ClientError as error:
        if sentences.no_updates(error):
            return "unchanged"
        if sentences.stack_is_busy(error) or code_of(error) == "TokenAlreadyExistsException":
            return "busy"
        raise
    return "started"


def left_behind(stack: Stack) -> list[str]:
    """What the last update could not delete, each with the reason."""
    return [
        f"{event['LogicalResourceId']} ({event.get('ResourceStatusReason', 'no reason')})"
        for event in _events_of_last_update(stack)
        if event["ResourceStatus"] == "DELETE_FAILED" and event.get("PhysicalResourceId") != stack.id
    ]


def last_update(stack: Stack) -> LastUpdate:
    """The last update; its reason is that of the resource which failed first."""
    reason = "CloudFormation gives no reason"
    for event in _events_of_last_update(stack):
        if _begins_update(event, stack):
            return LastUpdate(token=event.get("ClientRequestToken", ""), reason=reason)
        failed = event["ResourceStatus"].endswith("_FAILED")
        why = event.get("ResourceStatusReason", "")
        of_stack = event.get("PhysicalResourceId") == stack.id
        if failed and not of_stack and why and not sentences.was_cancelled(why):
            reason = f"{event['LogicalResourceId']}: {why}"
    return LastUpdate(token="", reason=reason)


def _events_of_last_update(stack: Stack) -> Iterator[Mapping[str, Any]]:
    """The newest comes first, the one that says it began last."""
    for page in client("cloudformation").get_paginator("describe_stack_events").paginate(StackName=stack.id):
        for event in page["StackEvents"]:
            yield event
            if _begins_update(event, stack):
                return


def _begins_update(event: Mapping[str, Any], stack: Stack) -> bool:
    return (event.get("PhysicalResourceId"), event["ResourceStatus"]) == (stack.id, "UPDATE_IN_PROGRESS")
