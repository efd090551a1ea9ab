"""The Serving stack with a part of it left out for a while, and put back.

CloudFormation does not notice what is changed without it: if somebody else deregisters a target, the stack
still counts it as registered and never puts it back. So the part is taken out by deploying the template
without it, and the next deployment brings it back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cli.errors import CdkFailed
from cli.stacks import describe, settled
from cli.target import Target
from contract.names import candidate_parameter, champion_parameter

SCALING = ("AWS::ApplicationAutoScaling::ScalableTarget", "AWS::ApplicationAutoScaling::ScalingPolicy")
ENDPOINT = ("AWS::SageMaker::Endpoint",)
Template = dict[str, Any]


def read_by_name(target: Target) -> dict[str, str]:
    """What the stack reads from SSM beside champion and candidate, by the parameter's name, as it was read
    last.
    """
    stack = describe(target, target.stack("serving")) or {}
    read = {
        each["ParameterValue"]: each["ResolvedValue"]
        for each in stack.get("Parameters", [])
        if "ResolvedValue" in each
    }
    for decided in (champion_parameter(target.project), candidate_parameter(target.project)):
        read.pop(decided, None)
    return read


def write_back(target: Target, read: Mapping[str, str]) -> None:
    """Give SSM parameters the values they had: a failed deployment has changed them before the stack."""
    ssm = target.client("ssm")
    for name, value in read.items():
        if ssm.get_parameter(Name=name)["Parameter"]["Value"] != value:
            ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)


def without(template: Mapping[str, Any], types: tuple[str, ...]) -> Template:
    """The template without the resources of these types, and without what refers to them."""
    resources: dict[str, Any] = dict(template["Resources"])
    gone = {name for name, each in resources.items() if each["Type"] in types}
    while more := {name for name in resources if name not in gone and gone & set(_names(resources[name]))}:
        gone |= more
    kept = {name: each for name, each in resources.items() if name not in gone}
    outputs = template.get("Outputs", {})
    kept_outputs = {name: each for name, each in outputs.items() if not gone & set(_names(each))}
    return {**template, "Resources": kept, **({"Outputs": kept_outputs} if outputs else {})}


def update(target: Target, template: Mapping[str, Any], on_wait: Callable[[str], None]) -> None:
    """Deploy a template to the Serving stack, with its own role and parameters, and wait for the end.

    Raises:
        CdkFailed: it did not go through; the stack is as it was.
    """
    from botocore.exceptions import ClientError

    name = target.stack("serving")
    settled(target, name, on_wait)
    stack = describe(target, name) or {}
    parameters = [each["ParameterKey"] for each in stack.get("Parameters", [])]
    try:
        target.client("cloudformation").update_stack(
            StackName=name,
            TemplateBody=json.dumps(template),
            Parameters=[{"ParameterKey": key, "UsePreviousValue": True} for key in parameters],
            Capabilities=stack.get("Capabilities", []),
        )
    except ClientError as error:
        if "no updates are to be performed" in error.response["Error"]["Message"].lower():
            return
        raise
    status = settled(target, name, on_wait)
    if status != "UPDATE_COMPLETE":
        why = (describe(target, name) or {}).get("StackStatusReason", "its events say why")
        raise CdkFailed(f"The stack {name} could not be changed, it is {status}: {why}")


def _names(node: Any) -> Iterator[str]:
    """Every logical id that a part of a template refers to."""
    if isinstance(node, list):
        for each in node:
            yield from _names(each)
    if not isinstance(node, Mapping):
        return
    for key, value in node.items():
        if key == "Ref" and isinstance(value, str):
            yield value
        elif key == "Fn::GetAtt":
            yield value.partition(".")[0] if isinstance(value, str) else value[0]
        elif key == "DependsOn":
            yield from [value] if isinstance(value, str) else value
        else:
            yield from _names(value)
