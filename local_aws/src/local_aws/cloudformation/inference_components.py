"""AWS::SageMaker::InferenceComponent.

Its creation and its update last until it is InService again; Ref is the ARN. The rolling update policy and
the alarms of its DeploymentConfig are taken and not acted on (see sagemaker.hosted_fleets).
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-sagemaker-inferencecomponent.html
"""

from __future__ import annotations

import time
from typing import Any

from botocore.exceptions import ClientError

from local_aws.cloudformation.sagemaker import (
    BUSY,
    POLL_SECONDS,
    NotInServiceError,
    create_resource,
    own_tags,
    settled,
)
from local_aws.cloudformation.stack import Properties, Provisioned, Register, Stack, request_of

_NAME = "InferenceComponentName"


def install(stack: Stack, register: Register) -> None:
    """Register the type."""

    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        client = stack.client("sagemaker")
        wanted = _accepted(client, "Create", properties)
        arn, attributes = create_resource(stack, "InferenceComponent", logical_id, wanted, stack_name)
        try:
            _until_in_service(client, attributes[_NAME])
        except NotInServiceError:
            _delete(client, attributes[_NAME])  # a failed creation leaves nothing behind
            raise
        return arn, {**attributes, "InferenceComponentArn": arn}

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
        client, name = stack.client("sagemaker"), physical_id.rpartition("/")[2]
        before, after = (_accepted(client, "Update", {**each, _NAME: name}) for each in (old, new))
        if before != after:
            client.update_inference_component(**after)
            _until_in_service(client, name)
        return physical_id, {_NAME: name, "InferenceComponentArn": physical_id}

    def delete(physical_id: str, properties: Properties) -> None:
        _delete(stack.client("sagemaker"), physical_id.rpartition("/")[2])

    handler = {"create": create, "update": update, "delete": delete}
    replacing = (_NAME, "EndpointName", "VariantName")
    register("AWS::SageMaker::InferenceComponent", handler, replacing, _NAME, taggable=True)


def _accepted(client: Any, verb: str, properties: Properties) -> dict[str, Any]:
    """What an operation takes of the properties: the API has in two places what CloudFormation has in one."""
    shape = client.meta.service_model.operation_model(f"{verb}InferenceComponent").input_shape
    wanted = {**properties, "Tags": own_tags(properties)}
    return dict(request_of(shape, {key: value for key, value in wanted.items() if key in shape.members}))


def _until_in_service(client: Any, name: str) -> None:
    found = settled(client, "InferenceComponent", name)
    reason = found.get("FailureReason")
    if found["InferenceComponentStatus"] != "InService" or reason:
        raise NotInServiceError(f"Inference component {name}: {reason or found['InferenceComponentStatus']}")


def _delete(client: Any, name: str) -> None:
    """Delete it as soon as it is not busy, and wait until it is gone."""
    while True:
        try:
            if client.describe_inference_component(**{_NAME: name})["InferenceComponentStatus"] not in BUSY:
                client.delete_inference_component(**{_NAME: name})
        except ClientError as error:
            message = error.response["Error"]["Message"].lower()
            if "could not find" in message:
                return
            if "while it is" not in message:
                raise
        time.sleep(POLL_SECONDS)
