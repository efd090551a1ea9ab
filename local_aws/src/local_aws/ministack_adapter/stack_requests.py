"""CloudFormation's requests as ministack reads them, with what it leaves out.

* Service roles: the RoleARN of CreateStack, UpdateStack, CreateChangeSet, ... is checked (`iam:PassRole`) and
  kept with the stack; SSM-typed parameters are read with its permissions.
* Fn::Join and pseudo parameters in conditions (the CDK's own bootstrap template has them).
* DescribeStacks: the role, the change set that was executed last, and the name and the resolved value of
  SSM-typed parameters.
* A request that begins an operation is answered when it has ended, or after some seconds. AWS answers at
  once, where no stack is made within a second. Who asks then (the CDK CLI every five seconds) asks once.
"""

from __future__ import annotations

import asyncio
import contextvars
import re
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from xml.sax.saxutils import escape

import ministack.services.cloudformation as cloudformation
from ministack.core.responses import get_account_id, get_region
from ministack.services import ssm
from ministack.services.cloudformation import changesets, handlers, helpers, stacks

from local_aws.cloudformation.stack import SERVICE, SESSION
from local_aws.core.errors import AwsError
from local_aws.ministack_adapter import permissions
from local_aws.ministack_adapter.stacks import BUSY, ROLE, everywhere

_TAKES_ROLE = ("CreateStack", "UpdateStack", "DeleteStack", "CreateChangeSet", "ContinueUpdateRollback")
_BEGINS = ("CreateStack", "UpdateStack", "DeleteStack")
_PATIENCE = 5.0
"""Seconds after which a request is answered while its operation goes on."""
_LOOK_EVERY = 0.02
_PSEUDO: dict[str, Callable[[], str]] = {
    "AWS::AccountId": get_account_id,
    "AWS::Partition": lambda: "aws",
    "AWS::Region": get_region,
    "AWS::URLSuffix": lambda: "amazonaws.com",
}

# On a stack's record: the change set that was executed on it last.
_CHANGE_SET = "_executed_change_set"

# The role of the operation whose request is being handled: it has to be able to read SSM-typed parameters.
_operation_role: contextvars.ContextVar[str] = contextvars.ContextVar("local_aws_operation_role", default="")


# The stack whose operation the request that is being handled has begun.
_begun: contextvars.ContextVar[str] = contextvars.ContextVar("local_aws_begun", default="")


def install(goes_on: Callable[[], bool]) -> None:
    """Teach ministack's CloudFormation. Once the server no longer `goes_on`, no request waits for an end."""
    actions = handlers._ACTION_HANDLERS
    for action in _TAKES_ROLE:
        actions[action] = partial(_handle_with_role, action, actions[action])
    actions["DescribeStacks"] = partial(_describe_with_details, actions["DescribeStacks"])
    actions["ExecuteChangeSet"] = partial(_execute_and_note, actions["ExecuteChangeSet"])
    for action in _BEGINS:
        actions[action] = partial(_note_begun, actions[action])
    everywhere("_evaluate_conditions", partial(_evaluate_joined, stacks._evaluate_conditions))
    everywhere("_resolve_parameters", partial(_resolve_if_allowed, handlers._resolve_parameters))
    handle = partial(permissions.handle_for_caller, cloudformation.handle_request)
    cloudformation.handle_request = partial(_answer_at_the_end, goes_on, handle)


def _note_begun(handle: Callable[[Any], Any], params: Any) -> Any:
    answer = handle(params)
    stack = handlers._resolve_stack(helpers._p(params, "StackName"))
    if answer[0] == 200 and stack is not None:
        _begun.set(stack["StackId"])
    return answer


async def _answer_at_the_end(
    goes_on: Callable[[], bool], handle: Callable[..., Awaitable[Any]], *request: Any
) -> Any:
    _begun.set("")
    answer = await handle(*request)
    until = time.monotonic() + _PATIENCE
    while goes_on() and time.monotonic() < until and _is_busy(_begun.get()):
        await asyncio.sleep(_LOOK_EVERY)
    return answer


def _is_busy(stack_id: str) -> bool:
    stack = handlers._resolve_stack(stack_id) if stack_id else None
    return stack is not None and stack["StackStatus"].endswith(BUSY)


def _handle_with_role(action: str, handle: Callable[[Any], Any], params: Any) -> Any:
    role = helpers._p(params, ROLE)
    if role:
        try:
            permissions.check_pass_role(role, SERVICE)
        except AwsError as error:
            code = "AccessDenied" if error.code == "AccessDeniedException" else "ValidationError"
            return helpers._error(code, error.message, 403 if code == "AccessDenied" else 400)
    before = handlers._resolve_stack(helpers._p(params, "StackName"))
    if role and before is not None and action == "DeleteStack":
        before[ROLE] = role  # the deletion starts at once and has to know it
    _operation_role.set(role or (before or {}).get(ROLE) or "")
    answer = handle(params)
    _operation_role.set("")
    stack = handlers._resolve_stack(helpers._p(params, "StackName"))
    if stack is not None and answer[0] == 200:
        stack[ROLE] = role or (before or {}).get(ROLE)
    return answer


def _execute_and_note(execute: Callable[[Any], Any], params: Any) -> Any:
    """ExecuteChangeSet; the stack shows afterwards which one made it what it is."""
    name, stack_name = helpers._p(params, "ChangeSetName"), helpers._p(params, "StackName")
    _, found = changesets._find_change_set(name, stack_name)
    answer = execute(params)
    if answer[0] == 200 and found is not None:
        stack = handlers._resolve_stack(found["StackId"])
        if stack is not None:
            stack[_CHANGE_SET] = found["ChangeSetId"]
            _begun.set(stack["StackId"])
    return answer


def _resolve_if_allowed(resolve: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """SSM-typed parameters are read by the stack's role, or by the caller if the stack has none."""
    resolved = resolve(*args, **kwargs)
    names = [value["SsmName"] for value in resolved.values() if "SsmName" in value]
    role, key = _operation_role.get(), ""
    if role and names:
        key = permissions.role_credentials(role, SERVICE, SESSION)["AWS_ACCESS_KEY_ID"]
    try:
        for name in names:
            permissions.check("ssm:GetParameters", ssm._param_arn(name), access_key=key)
    except AwsError as error:
        raise ValueError(error.message) from error  # which ministack answers as a ValidationError
    return resolved


def _evaluate_joined(evaluate: Callable[..., Any], template: dict[str, Any], params: dict[str, Any]) -> Any:
    """Conditions, after every Fn::Join and pseudo parameter in them has become the string it stands for."""

    def text(node: Any) -> str:
        if isinstance(node, dict) and "Ref" in node:
            found = params.get(node["Ref"])
            return str(found["Value"]) if found else str(node["Ref"])
        return str(node)

    def reduced(node: Any) -> Any:
        if isinstance(node, list):
            return [reduced(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "Fn::Join" in node:
            separator, items = node["Fn::Join"]
            # A parameter of a list type is one string with commas here.
            if isinstance(items, dict):
                return separator.join(text(items).split(","))
            return separator.join(text(reduced(item)) for item in items)
        if node.get("Ref") in _PSEUDO:
            return _PSEUDO[node["Ref"]]()
        return {key: reduced(value) for key, value in node.items()}

    return evaluate({**template, "Conditions": reduced(template.get("Conditions") or {})}, params)


def _describe_with_details(describe: Callable[[Any], Any], params: Any) -> Any:
    """DescribeStacks with RoleARN; an SSM-typed parameter's value is its name, beside its ResolvedValue."""
    status, headers, body = describe(params)
    if status != 200:
        return status, headers, body
    text = body.decode()
    for stack in cloudformation._stacks.values():
        start = text.find(f"<StackId>{stack['StackId']}</StackId>")
        if start < 0:
            continue
        end = text.find("</Parameters>", start)
        role = stack.get(ROLE)
        more = f"<RoleARN>{escape(role)}</RoleARN>" if role else ""
        if made_by := stack.get(_CHANGE_SET):
            more += f"<ChangeSetId>{escape(made_by)}</ChangeSetId>"
        text = text[:start] + more + _named(stack, text[start:end]) + text[end:]
    return status, headers, text.encode()


def _named(stack: dict[str, Any], text: str) -> str:
    for name, value in (stack.get("_resolved_params") or {}).items():
        if "SsmName" in value:
            key = f"<ParameterKey>{escape(name)}</ParameterKey>"
            text = re.sub(
                f"{re.escape(key)}<ParameterValue>(.*?)</ParameterValue>",
                lambda found, key=key, value=value: (  # type: ignore[misc]
                    f"{key}<ParameterValue>{escape(value['SsmName'])}</ParameterValue>"
                    f"<ResolvedValue>{found[1]}</ResolvedValue>"
                ),
                text,
            )
    return text
