"""AWS::ApplicationAutoScaling::ScalableTarget and ScalingPolicy.

https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_ApplicationAutoScaling.html
"""

from __future__ import annotations

import contextlib
from typing import Any

from local_aws.cloudformation.stack import (
    Properties,
    Provisioned,
    Register,
    Stack,
    generated_name,
    request_of,
)

_TARGET = ("ResourceId", "ScalableDimension", "ServiceNamespace")


def install(stack: Stack, register: Register) -> None:
    """Register both types."""
    _scalable_target(stack, register)
    _scaling_policy(stack, register)


def _scalable_target(stack: Stack, register: Register) -> None:
    def put(properties: Properties) -> Provisioned:
        client = stack.client("application-autoscaling")
        if properties.get("ScheduledActions"):
            raise ValueError("ScheduledActions are not supported by the local AWS")
        shape = client.meta.service_model.operation_model("RegisterScalableTarget").input_shape
        wanted = {key: value for key, value in properties.items() if key != "ScheduledActions"}
        client.register_scalable_target(**request_of(shape, wanted))
        physical_id = "|".join(properties[name] for name in _TARGET)
        return physical_id, {"Id": physical_id}

    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        stack.announce("|".join(properties[name] for name in _TARGET))
        return put(properties)

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
        return put(new)

    def delete(physical_id: str, properties: Properties) -> None:
        client = stack.client("application-autoscaling")
        with contextlib.suppress(client.exceptions.ObjectNotFoundException):
            client.deregister_scalable_target(**dict(zip(_TARGET, physical_id.split("|"), strict=True)))

    handler = {"create": create, "update": update, "delete": delete}
    register("AWS::ApplicationAutoScaling::ScalableTarget", handler, _TARGET)


def _scaling_policy(stack: Stack, register: Register) -> None:
    def put(name: str, properties: Properties) -> Provisioned:
        client = stack.client("application-autoscaling")
        shape = client.meta.service_model.operation_model("PutScalingPolicy").input_shape
        answer = client.put_scaling_policy(
            **request_of(shape, {**_with_target(properties), "PolicyName": name})
        )
        return answer["PolicyARN"], {"Arn": answer["PolicyARN"], "PolicyName": name}

    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        name = properties.get("PolicyName") or generated_name(stack_name, logical_id)
        stack.announce(name)
        return put(name, properties)

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
        return put(new.get("PolicyName") or physical_id.rpartition("policyName/")[2], new)

    def delete(physical_id: str, properties: Properties) -> None:
        client = stack.client("application-autoscaling")
        target = _with_target(properties)
        name = properties.get("PolicyName") or physical_id.rpartition("policyName/")[2]
        with contextlib.suppress(client.exceptions.ObjectNotFoundException):
            client.delete_scaling_policy(PolicyName=name, **{key: target[key] for key in _TARGET})

    handler = {"create": create, "update": update, "delete": delete}
    replacing = ("PolicyName", "ScalingTargetId", *_TARGET)
    register("AWS::ApplicationAutoScaling::ScalingPolicy", handler, replacing)


def _with_target(properties: Properties) -> dict[str, Any]:
    """A policy names its target by three properties, or by the one id of the ScalableTarget."""
    properties = dict(properties)
    target = properties.pop("ScalingTargetId", None)
    if target is not None:
        properties.update(zip(_TARGET, target.split("|"), strict=True))
    return properties
