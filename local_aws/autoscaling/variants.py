"""The thing that is scaled: a production variant of a SageMaker endpoint, through SageMaker's own API."""

from __future__ import annotations

import re
from dataclasses import dataclass

from botocore.exceptions import ClientError

from local_aws.core.context import LocalAws
from local_aws.core.errors import ValidationException

_RESOURCE = re.compile(r"^endpoint/([^/]+)/variant/([^/]+)$")


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
    match = _RESOURCE.match(resource_id)
    if match is None:
        raise ValidationException(
            f"Unsupported service namespace, resource type or scalable dimension: {resource_id}; "
            "expected endpoint/<endpoint>/variant/<variant>"
        )
    return match.group(1), match.group(2)


class Variants:
    """Reads and sets the capacity of variants."""

    def __init__(self, aws: LocalAws) -> None:
        self._aws = aws

    def read(self, resource_id: str) -> State | None:
        """The variant now; None if there is none of that name."""
        endpoint, name = parse(resource_id)
        try:
            answer = self._aws.client("sagemaker").describe_endpoint(EndpointName=endpoint)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationException":
                return None
            raise
        for variant in answer.get("ProductionVariants", []):
            if variant["VariantName"] == name and "DesiredInstanceCount" in variant:
                capacity = variant["DesiredInstanceCount"]
                return State(
                    capacity, answer["EndpointStatus"] == "InService", answer.get("FailureReason", "")
                )
        return None

    def set(self, resource_id: str, capacity: int) -> None:
        """Begin to bring the variant to `capacity` instances. Raises ScalingFailedError."""
        endpoint, name = parse(resource_id)
        try:
            self._aws.client("sagemaker").update_endpoint_weights_and_capacities(
                EndpointName=endpoint,
                DesiredWeightsAndCapacities=[{"VariantName": name, "DesiredInstanceCount": capacity}],
            )
        except ClientError as error:
            said = error.response["Error"]
            raise ScalingFailedError(
                f"{said['Message']} (Service: AmazonSageMaker; Status Code: 400; Error Code: {said['Code']})"
            ) from error
