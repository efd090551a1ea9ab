"""The stored form of an inference component, what it takes to run its copies, and the room for them.

A component whose copy no instance of the type can hold is refused; copies for which there may be too few
instances fail it. AWS documents neither its words then nor what of an instance it keeps: here all can be had.
Which instance a copy lies on is not modelled: managed instance scaling follows the copies.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_InferenceComponentComputeResourceRequirements.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from local_aws.core.context import LocalAws
from local_aws.core.errors import ValidationException
from local_aws.sagemaker.hosting import endpoint_configs
from local_aws.sagemaker.hosting.endpoint_records import ENDPOINTS
from local_aws.sagemaker.hosting.instance_sizes import Size, size_of
from local_aws.sagemaker.registry import models
from local_aws.sagemaker.resources import Listing, Resources
from local_aws.sagemaker.serving.fleet import FleetFailedError
from local_aws.sagemaker.serving.plans import HEALTH_CHECK_SECONDS, VariantPlan

Record = Mapping[str, Any]

COMPONENTS = Resources(
    kind="inference-component",
    prefix="InferenceComponent",
    noun="inference component",
    listing=Listing.of("InferenceComponent", status=True),
    busy=lambda record: (
        f'Cannot update inference component "{record["InferenceComponentArn"]}" while it is '
        f"{record['InferenceComponentStatus']}."
    ),
)
# A member no output shape knows: what is to run next.
PENDING = "Pending"


def route_name(component: str) -> str:
    """The name under which the router knows a component; no endpoint can be called so."""
    return f"{COMPONENTS.kind}/{component}"


def plan_of(aws: LocalAws, model_name: str, variant: str, role_arn: str | None, copies: int) -> VariantPlan:
    """What it takes to run `copies` of a model. Raises SageMaker's "Could not find model"."""
    model = models.find(aws, model_name)
    return VariantPlan(
        name=variant,
        container=models.container(model),
        role_arn=role_arn or model.get("ExecutionRoleArn"),
        instance_type="inference component",
        instance_count=copies,
        weight=1.0,
        health_check_seconds=HEALTH_CHECK_SECONDS,
    )


def copies(count: int) -> Mapping[str, int]:
    """The RuntimeConfig of a component whose copies all run."""
    return {"DesiredCopyCount": count, "CurrentCopyCount": count}


class NoRoom(FleetFailedError):
    """The instances that there may be have no room for all copies."""


def check_copy(variant: Record, specification: Record) -> None:
    """Raise ValidationException if no instance of the variant can hold one copy."""
    size = size_of(variant["InstanceType"])
    if size is not None and (short := size.short_of(_reserved(specification))):
        raise ValidationException(
            "A copy of the inference component asks for more than an instance of variant "
            f"{variant['VariantName']} has, {variant['InstanceType']}: {', '.join(short)}."
        )


def check_room(
    aws: LocalAws, record: Record, specification: Record, copies: int, components: Iterable[Record]
) -> None:
    """Raise NoRoom if so many copies of a component do not fit beside those of the others.

    Of two that are created at once the first has precedence.
    """
    variant = variant_of(aws, record["EndpointName"], record["VariantName"])
    size = size_of(variant["InstanceType"]) if variant else None
    if variant is None or size is None:
        return
    most = _most_instances(aws, record["EndpointName"], variant)
    others = [each for each in components if _counts(each, record)]
    reserved = [_reserved(specification)] * copies
    for other in others:
        reserved += [_reserved(other["Specification"])] * other["RuntimeConfig"]["DesiredCopyCount"]
    if not _fit(size, most, reserved):
        beside = f" beside those of {len(others)} more" if others else ""
        raise NoRoom(
            f"Variant {record['VariantName']} has {most} {variant['InstanceType']} at most, and no room on "
            f"them for {copies} copies of inference component {record['InferenceComponentName']}{beside}."
        )


def variant_of(aws: LocalAws, endpoint: str, name: str) -> Record | None:
    """The variant as the endpoint's present configuration has it."""
    record = aws.store.get(ENDPOINTS.kind, endpoint)
    if record is None:
        return None
    variants = endpoint_configs.find(aws, record["EndpointConfigName"])["ProductionVariants"]
    return next((each for each in variants if each["VariantName"] == name), None)


def _counts(other: Record, record: Record) -> bool:
    """Whether the other's copies lie, or are going to lie, on the same instances."""
    mine = (record["EndpointName"], record["VariantName"])
    if (other["EndpointName"], other["VariantName"]) != mine or _order(other) == _order(record):
        return False
    if other["InferenceComponentStatus"] == "Creating":
        return bool(_order(other) < _order(record))
    return other["InferenceComponentStatus"] in ("InService", "Updating")


def _order(record: Record) -> tuple[Any, str]:
    return record["CreationTime"], record["InferenceComponentName"]


def _most_instances(aws: LocalAws, endpoint: str, variant: Record) -> int:
    scaling = variant.get("ManagedInstanceScaling", {})
    if scaling.get("Status") == "ENABLED" and "MaxInstanceCount" in scaling:
        return int(scaling["MaxInstanceCount"])
    record = aws.store.get(ENDPOINTS.kind, endpoint) or {}
    running = {each["VariantName"]: each for each in record["ProductionVariants"]}
    return int(running[variant["VariantName"]]["DesiredInstanceCount"])


def _reserved(specification: Record) -> Size:
    asked = specification["ComputeResourceRequirements"]
    return Size(
        asked.get("NumberOfCpuCoresRequired", 0),
        asked.get("MinMemoryRequiredInMb", 0),
        asked.get("NumberOfAcceleratorDevicesRequired", 0),
    )


def _fit(size: Size, instances: int, copies: Iterable[Size]) -> bool:
    """Whether they can be laid out, each on the first instance that has room, the greatest first."""
    free = [size] * instances
    for copy in sorted(
        copies, key=lambda each: (each.accelerators, each.memory_mb, each.cores), reverse=True
    ):
        place = next((at for at, left in enumerate(free) if left.holds(copy)), None)
        if place is None:
            return False
        free[place] = free[place].without(copy)
    return True
