"""AWS::SageMaker::Model, EndpointConfig, Endpoint and ModelPackageGroup.

Ref is the ARN, the name an attribute. A changed model or endpoint configuration is a new one; an endpoint is
updated in place, and its creation and update last until it is InService.
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/AWS_SageMaker.html
"""

from __future__ import annotations

import time
from typing import Any

from botocore import xform_name
from botocore.exceptions import ClientError

from local_aws.cloudformation.stack import (
    Properties,
    Provisioned,
    Register,
    Stack,
    generated_name,
    request_for,
)
from local_aws.core.wire import model_of

POLL_SECONDS = 0.2
BUSY = ("Creating", "Updating", "SystemUpdating", "RollingBack", "Deleting")
_UPDATE_ONLY = ("RetainAllVariantProperties", "ExcludeRetainedVariantProperties", "RetainDeploymentConfig")


class NotInServiceError(RuntimeError):
    """An endpoint or a component did not become InService; the message has its FailureReason."""


def install(stack: Stack, register: Register) -> None:
    """Register the four types."""
    for kind in ("Model", "EndpointConfig", "ModelPackageGroup"):
        _immutable(stack, register, kind)
    _endpoint(stack, register)


def _immutable(stack: Stack, register: Register, kind: str) -> None:
    """A type of which any property makes a new resource, but for the tags."""
    name_property = f"{kind}Name"
    members = model_of("sagemaker").operation_model(f"Create{kind}").input_shape.members
    replacing = tuple(name for name in members if name != "Tags")

    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        if properties.pop("ModelPackageGroupPolicy", None) is not None:
            raise ValueError("ModelPackageGroupPolicy is not supported by the local AWS")
        arn, attributes = create_resource(stack, kind, logical_id, properties, stack_name)
        if kind == "ModelPackageGroup":
            created = stack.aws.now().isoformat()
            attributes |= {f"{kind}Arn": arn, f"{kind}Status": "Completed", "CreationTime": created}
        return arn, attributes

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
        _update_tags(stack.client("sagemaker"), physical_id, old, new)
        return physical_id, {name_property: _name(physical_id, new, name_property)}

    def delete(physical_id: str, properties: Properties) -> None:
        _delete(stack, kind, _name(physical_id, properties, name_property))

    handler = {"create": create, "update": update, "delete": delete}
    register(f"AWS::SageMaker::{kind}", handler, replacing, name_property, taggable=True)


def _endpoint(stack: Stack, register: Register) -> None:
    def create(logical_id: str, properties: Properties, stack_name: str) -> Provisioned:
        wanted = {key: value for key, value in properties.items() if key not in _UPDATE_ONLY}
        arn, attributes = create_resource(stack, "Endpoint", logical_id, wanted, stack_name)
        try:
            _until_in_service(stack, attributes["EndpointName"], properties["EndpointConfigName"])
        except NotInServiceError:
            _delete_endpoint(stack, attributes["EndpointName"])  # a failed creation leaves nothing behind
            raise
        return arn, attributes

    def update(physical_id: str, old: Properties, new: Properties, stack_name: str) -> Provisioned:
        client = stack.client("sagemaker")
        name = _name(physical_id, new, "EndpointName")
        _update_tags(client, physical_id, old, new)
        if _without_tags(old) != _without_tags(new):
            request = request_for(client, "UpdateEndpoint", {**_without_tags(new), "EndpointName": name})
            if request.pop("RetainDeploymentConfig", False):
                # The API takes either a configuration or the word that the last one is kept.
                request = {**request, "RetainDeploymentConfig": True}
                request.pop("DeploymentConfig", None)
            client.update_endpoint(**request)
            _until_in_service(stack, name, new["EndpointConfigName"])
        return physical_id, {"EndpointName": name}

    def delete(physical_id: str, properties: Properties) -> None:
        _delete_endpoint(stack, _name(physical_id, properties, "EndpointName"))

    handler = {"create": create, "update": update, "delete": delete}
    register("AWS::SageMaker::Endpoint", handler, ("EndpointName",), None, taggable=True)


def create_resource(
    stack: Stack, kind: str, logical_id: str, properties: Properties, stack_name: str
) -> Provisioned:
    """Make a resource, under a name of its own unless it has one; announced if no other has that name."""
    client = stack.client("sagemaker")
    name_property = f"{kind}Name"
    properties = {name_property: generated_name(stack_name, logical_id), **properties}
    if "Tags" in properties:
        properties["Tags"] = own_tags(properties)
    request = request_for(client, f"Create{kind}", properties)
    # Where the name is taken the creation will be refused, and what has the name is not ours.
    if not _exists(stack.aws.client("sagemaker"), kind, properties[name_property]):
        stack.announce(properties[name_property])
    answer = getattr(client, f"create_{xform_name(kind)}")(**request)
    return answer[f"{kind}Arn"], {name_property: properties[name_property]}


def _exists(client: Any, kind: str, name: str) -> bool:
    try:
        getattr(client, f"describe_{xform_name(kind)}")(**{f"{kind}Name": name})
    except ClientError as error:
        if not _is_missing(error):
            raise
        return False
    return True


def _delete(stack: Stack, kind: str, name: str) -> None:
    try:
        getattr(stack.client("sagemaker"), f"delete_{xform_name(kind)}")(**{f"{kind}Name": name})
    except ClientError as error:
        if not _is_missing(error):
            raise


def _delete_endpoint(stack: Stack, name: str) -> None:
    _delete(stack, "Endpoint", name)
    while _exists(stack.client("sagemaker"), "Endpoint", name):
        time.sleep(POLL_SECONDS)


def settled(client: Any, kind: str, name: str) -> dict[str, Any]:
    """What a resource is when no work on it is under way any more."""
    describe = getattr(client, f"describe_{xform_name(kind)}")
    while (found := describe(**{f"{kind}Name": name}))[f"{kind}Status"] in BUSY:
        time.sleep(POLL_SECONDS)
    return dict(found)


def _until_in_service(stack: Stack, name: str, config_name: str) -> None:
    """Wait for the end of a creation or an update; NotInServiceError unless it did what was asked."""
    endpoint = settled(stack.client("sagemaker"), "Endpoint", name)
    if endpoint["EndpointStatus"] == "InService" and endpoint["EndpointConfigName"] == config_name:
        return
    reason = endpoint.get("FailureReason") or f"the endpoint is {endpoint['EndpointStatus']}"
    raise NotInServiceError(f"Endpoint {name} did not reach InService with {config_name}: {reason}")


def _update_tags(client: Any, arn: str, old: Properties, new: Properties) -> None:
    before = {tag["Key"]: tag["Value"] for tag in own_tags(old)}
    after = {tag["Key"]: tag["Value"] for tag in own_tags(new)}
    changed = [{"Key": key, "Value": str(value)} for key, value in after.items() if before.get(key) != value]
    gone = sorted(set(before) - set(after))
    if changed:
        client.add_tags(ResourceArn=arn, Tags=changed)
    if gone:
        client.delete_tags(ResourceArn=arn, TagKeys=gone)


def own_tags(properties: Properties) -> list[dict[str, str]]:
    """The tags of template and stack; those the engine adds begin with ``aws:``, which no API takes."""
    return [tag for tag in properties.get("Tags", []) if not tag["Key"].startswith("aws:")]


def _without_tags(properties: Properties) -> Properties:
    return {key: value for key, value in properties.items() if key != "Tags"}


def _name(arn: str, properties: Properties, name_property: str) -> str:
    return str(properties.get(name_property) or arn.rpartition("/")[2])


def _is_missing(error: ClientError) -> bool:
    code, message = error.response["Error"]["Code"], error.response["Error"]["Message"].lower()
    if code in ("ResourceNotFound", "ResourceNotFoundException"):
        return True
    return code == "ValidationException" and ("could not find" in message or "does not exist" in message)
