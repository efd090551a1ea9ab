"""What is scaled, through SageMaker's own API: variants of endpoints, and inference components."""

from __future__ import annotations

import re
from dataclasses import dataclass

from botocore.exceptions import ClientError

from local_aws.core.context import LocalAws
from local_aws.core.errors import ValidationException

_VARIANT = re.compile(r"endpoint/([^/\s]+)/variant/([^/\s]+)")
_COMPONENT = re.compile(r"inference-component/([^/\s]+)")
DIMENSIONS = {
    "endpoint": "sagemaker:variant:DesiredInstanceCount",
    "inference-component": "sagemaker:inference-component:DesiredCopyCount",
}
"""What there is to scale, by the first word of its resource id."""


class ScalingFailedError(Exception):
    """SageMaker refused the new size; the message is its answer, as a scaling activity quotes it."""


@dataclass(frozen=True)
class State:
    """A variant at one moment."""

    capacity: int
    settled: bool
    """Whether the endpoint can be changed now."""
    failure: str
    """Why the endpoint's last change failed; empty if it did not."""


def parse(resource_id: str) -> tuple[str, str]:
    """Endpoint and variant of ``endpoint/<name>/variant/<name>``. Raises ValidationException for all else."""
    match = _VARIANT.fullmatch(resource_id)
    if match is None:
        raise ValidationException(
            f"Unsupported service namespace, resource type or scalable dimension: {resource_id}; "
            "expected endpoint/<endpoint>/variant/<variant> or inference-component/<name>"
        )
    return match.group(1), match.group(2)


def component_of(resource_id: str) -> str | None:
    """The inference component of ``inference-component/<name>``; None for all else."""
    match = _COMPONENT.fullmatch(resource_id)
    return match.group(1) if match else None


class Variants:
    """Reads and sets the capacity of variants."""

    def __init__(self, aws: LocalAws) -> None:
        self._aws = aws

    def instance_type(self, resource_id: str) -> str:
        """What a variant that exists runs on; empty for one without instances of its own."""
        if component_of(resource_id) is not None:
            return ""
        endpoint, name = parse(resource_id)
        sagemaker = self._aws.client("sagemaker")
        config = sagemaker.describe_endpoint(EndpointName=endpoint)["EndpointConfigName"]
        variants = sagemaker.describe_endpoint_config(EndpointConfigName=config)["ProductionVariants"]
        found = [each.get("InstanceType", "") for each in variants if each["VariantName"] == name]
        return str(found[0]) if found else ""

    def read(self, resource_id: str) -> State | None:
        """The variant or component now; None if there is none of that name."""
        client, component = self._aws.client("sagemaker"), component_of(resource_id)
        try:
            if component is not None:
                found = client.describe_inference_component(InferenceComponentName=component)
                capacity, status = found["RuntimeConfig"]["DesiredCopyCount"], "InferenceComponentStatus"
            else:
                endpoint, name = parse(resource_id)
                found = client.describe_endpoint(EndpointName=endpoint)
                counts = {
                    variant["VariantName"]: variant.get("DesiredInstanceCount")
                    for variant in found.get("ProductionVariants", [])
                }
                capacity, status = counts.get(name), "EndpointStatus"
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationException":
                return None
            raise
        if capacity is None:
            return None
        return State(capacity, found[status] == "InService", found.get("FailureReason", ""))

    def set(self, resource_id: str, capacity: int) -> None:
        """Begin to bring it to `capacity` instances or copies. Raises ScalingFailedError."""
        client = self._aws.client("sagemaker")
        try:
            if (component := component_of(resource_id)) is not None:
                client.update_inference_component_runtime_config(
                    InferenceComponentName=component, DesiredRuntimeConfig={"CopyCount": capacity}
                )
                return
            endpoint, name = parse(resource_id)
            client.update_endpoint_weights_and_capacities(
                EndpointName=endpoint,
                DesiredWeightsAndCapacities=[{"VariantName": name, "DesiredInstanceCount": capacity}],
            )
        except ClientError as error:
            answer = error.response["Error"]
            raise ScalingFailedError(
                f"{answer['Message']} (Service: AmazonSageMaker; Status Code: 400; "
                f"Error Code: {answer['Code']})"
            ) from error
