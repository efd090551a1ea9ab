"""Resource types that one call makes and another takes away: of IAM, WAF, Budgets and Auto Scaling.

A WebACLAssociation is written down only, so that a stack with a firewall deploys: nothing is filtered, as
what reaches a local API comes from this machine.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApplicationAutoScaling.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-budgets-budget.html
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-iam-rolepolicy.html
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

from local_aws.cloudformation.stack import (
    Properties,
    Provisioned,
    Register,
    Stack,
    generated_name,
    request_for,
)

_POLICY = ("PolicyName", "RoleName")
_TARGET = ("ResourceId", "ScalableDimension", "ServiceNamespace")


def install(stack: Stack, register: Register) -> None:
    """Register the five types."""
    _role_policy(stack, register)
    _web_acl_association(stack, register)
    _budget(stack, register)
    _scalable_target(stack, register)
    _scaling_policy(stack, register)


def _role_policy(stack: Stack, register: Register) -> None:
    """One inline policy of a role that may belong to another stack."""

    def put(properties: Properties) -> Provisioned:
        names = {name: properties[name] for name in _POLICY}
        document = properties.get("PolicyDocument", {})
        text = document if isinstance(document, str) else json.dumps(document)
        stack.client("iam").put_role_policy(**names, PolicyDocument=text)
        return "|".join(names.values()), {}

    def delete(physical_id: str, properties: Properties) -> None:
        client = stack.client("iam")
        # Where the role went first, it took the policy with it.
        with contextlib.suppress(client.exceptions.NoSuchEntityException):
            client.delete_role_policy(**{name: properties[name] for name in _POLICY})

    handler = {
        "create": lambda logical_id, properties, stack_name: put(properties),
        "update": lambda physical_id, old, new, stack_name: put(new),
        "delete": delete,
    }
    register("AWS::IAM::RolePolicy", handler, _POLICY)


def _web_acl_association(stack: Stack, register: Register) -> None:
    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        acl, resource = properties["WebACLArn"], properties["ResourceArn"]
        stack.client("wafv2").associate_web_acl(WebACLArn=acl, ResourceArn=resource)
        return f"{acl}|{resource}", {}

    def delete(physical_id: str, properties: Properties) -> None:
        stack.client("wafv2").disassociate_web_acl(ResourceArn=physical_id.rpartition("|")[2])

    handler = {"create": create, "delete": delete}
    register("AWS::WAFv2::WebACLAssociation", handler, ("WebACLArn", "ResourceArn"))


def _budget(stack: Stack, register: Register) -> None:
    """A limit on what is spent, and who is told when it is near."""

    def put(name: str, properties: Properties) -> Provisioned:
        client = stack.client("budgets")
        name = properties["Budget"].get("BudgetName") or name
        wanted = {**properties, "Budget": {**properties["Budget"], "BudgetName": name}}
        client.create_budget(AccountId=stack.aws.account, **request_for(client, "CreateBudget", wanted))
        return name, {}

    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        return put(generated_name(stack_name, logical_id), properties)

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
        delete(physical_id, old)
        return put(physical_id, new)

    def delete(physical_id: str, properties: Properties) -> None:
        client = stack.client("budgets")
        with contextlib.suppress(client.exceptions.NotFoundException):
            client.delete_budget(AccountId=stack.aws.account, BudgetName=physical_id)

    register("AWS::Budgets::Budget", {"create": create, "update": update, "delete": delete}, None)


def _scalable_target(stack: Stack, register: Register) -> None:
    def put(properties: Properties) -> Provisioned:
        client = stack.client("application-autoscaling")
        if properties.get("ScheduledActions"):
            raise ValueError("ScheduledActions are not supported by the local AWS")
        wanted = {key: value for key, value in properties.items() if key != "ScheduledActions"}
        client.register_scalable_target(**request_for(client, "RegisterScalableTarget", wanted))
        physical_id = "|".join(properties[name] for name in _TARGET)
        return physical_id, {"Id": physical_id}

    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        stack.announce("|".join(properties[name] for name in _TARGET))
        return put(properties)

    def delete(physical_id: str, properties: Properties) -> None:
        client = stack.client("application-autoscaling")
        with contextlib.suppress(client.exceptions.ObjectNotFoundException):
            client.deregister_scalable_target(**dict(zip(_TARGET, physical_id.split("|"), strict=True)))

    handler = {
        "create": create,
        "update": lambda physical_id, old, new, stack_name: put(new),
        "delete": delete,
    }
    register("AWS::ApplicationAutoScaling::ScalableTarget", handler, _TARGET)


def _scaling_policy(stack: Stack, register: Register) -> None:
    def put(name: str, properties: Properties) -> Provisioned:
        client = stack.client("application-autoscaling")
        wanted = {**_with_target(properties), "PolicyName": name}
        answer = client.put_scaling_policy(**request_for(client, "PutScalingPolicy", wanted))
        return answer["PolicyARN"], {"Arn": answer["PolicyARN"], "PolicyName": name}

    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        name = properties.get("PolicyName") or generated_name(stack_name, logical_id)
        stack.announce(name)
        return put(name, properties)

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
        return put(_policy_name(physical_id, new), new)

    def delete(physical_id: str, properties: Properties) -> None:
        client = stack.client("application-autoscaling")
        target = {key: _with_target(properties)[key] for key in _TARGET}
        with contextlib.suppress(client.exceptions.ObjectNotFoundException):
            client.delete_scaling_policy(PolicyName=_policy_name(physical_id, properties), **target)

    handler = {"create": create, "update": update, "delete": delete}
    replacing = ("PolicyName", "ScalingTargetId", *_TARGET)
    register("AWS::ApplicationAutoScaling::ScalingPolicy", handler, replacing)


def _policy_name(physical_id: str, properties: Properties) -> str:
    return properties.get("PolicyName") or physical_id.rpartition("policyName/")[2]


def _with_target(properties: Properties) -> dict[str, Any]:
    """A policy names its target by three properties, or by the one id of the ScalableTarget."""
    properties = dict(properties)
    target = properties.pop("ScalingTargetId", None)
    if target is not None:
        properties.update(zip(_TARGET, target.split("|"), strict=True))
    return properties
