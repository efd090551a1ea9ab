"""The stored form of an endpoint: what DescribeEndpoint shows, and what brings it up again."""

from __future__ import annotations

import os
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from botocore import xform_name

from local_aws.core.context import LocalAws
from local_aws.core.errors import ResourceLimitExceeded
from local_aws.sagemaker import events
from local_aws.sagemaker.resources import Listing, Resources
from local_aws.sagemaker.serving.plans import VariantPlan

Record = dict[str, Any]

ENDPOINTS = Resources(
    kind="endpoint",
    prefix="Endpoint",
    noun="endpoint",
    listing=Listing.of("Endpoint", status=True),
    busy=lambda record: (
        f"Cannot update {'failed' if record['EndpointStatus'] == 'Failed' else 'in-progress'} endpoint "
        f'"{record["EndpointArn"]}".'
    ),
)
# Members no output shape knows, so no client sees them: the running variants, and the folder they run in.
PLAN = "Plan"
DEPLOYMENT = "Deployment"
CAPTURE = "DataCaptureConfig"
PENDING = "PendingDeploymentSummary"
# Each instance is a process with a model in memory, and a blue/green update doubles them for a moment.
INSTANCE_LIMIT = max(8, 4 * (os.cpu_count() or 1))


def new_record(aws: LocalAws, request: Mapping[str, Any], plans: Sequence[VariantPlan]) -> Record:
    """The record of an endpoint that is about to be created."""
    name, now = request["EndpointName"], aws.now()
    return {
        "EndpointName": name,
        "EndpointArn": aws.arn(f"endpoint/{name}"),
        "EndpointConfigName": request["EndpointConfigName"],
        "EndpointStatus": "Creating",
        "CreationTime": now,
        "LastModifiedTime": now,
        "LastDeploymentConfig": request.get("DeploymentConfig"),
        CAPTURE: captured(plans),
        **_deployment(aws, plans),
    }


def pending(
    aws: LocalAws, config: str, plans: Sequence[VariantPlan], deployment: Mapping[str, Any] | None
) -> Record:
    """The part of the record that describes an update while it goes on."""
    return {
        "EndpointConfigName": config,
        "StartTime": aws.now(),
        **_deployment(aws, plans),
        "DeploymentConfig": deployment,
    }


def _deployment(aws: LocalAws, plans: Sequence[VariantPlan]) -> Record:
    folder = uuid.uuid4().hex[:12]
    variants = listed(plans, summaries(aws, plans, running=False))
    return {**variants, PLAN: [plan.dump() for plan in plans], DEPLOYMENT: folder}


def listed(plans: Sequence[VariantPlan], variants: Sequence[Record]) -> Record:
    """The two lists of variants in a record, of what stands for each plan.

    The list of shadows is None where there are none, so that an update which removes one removes it here.
    """
    seen, shadows = (
        [each for plan, each in zip(plans, variants, strict=True) if plan.shadow is shadow]
        for shadow in (False, True)
    )
    return {"ProductionVariants": seen, "ShadowProductionVariants": shadows or None}


def variants_of(stored: Mapping[str, Any]) -> list[Record]:
    """The variants of a record or of its pending part, in the order of their plans."""
    return [*stored["ProductionVariants"], *(stored.get("ShadowProductionVariants") or ())]


def summaries(aws: LocalAws, plans: Sequence[VariantPlan], *, running: bool) -> list[Record]:
    """The variants as DescribeEndpoint lists them."""
    return [
        {
            "VariantName": plan.name,
            **_images(aws, plan),
            "CurrentWeight": plan.weight,
            "DesiredWeight": plan.weight,
            **_size(plan, running),
        }
        for plan in plans
    ]


def _images(aws: LocalAws, plan: VariantPlan) -> Record:
    if plan.container is None:
        return {}
    image = plan.container.image
    deployed = {"SpecifiedImage": image, "ResolvedImage": image, "ResolutionTime": aws.now()}
    return {"DeployedImages": [deployed]}


def _size(plan: VariantPlan, running: bool) -> Record:
    if plan.serverless is not None:
        size = plan.serverless.describe()
        return {"CurrentServerlessConfig": size, "DesiredServerlessConfig": size}
    return {
        "CurrentInstanceCount": plan.instance_count if running else 0,
        "DesiredInstanceCount": plan.instance_count,
    }


def plans_of(stored: Mapping[str, Any]) -> tuple[VariantPlan, ...]:
    """The variants of a record or of its pending part."""
    return tuple(VariantPlan.load(plan) for plan in stored[PLAN])


def captured(plans: Sequence[VariantPlan]) -> Record | None:
    """How DescribeEndpoint shows what is captured; None if nothing is."""
    rule = plans[0].capture
    return rule.describe() if rule else None


def instances(plans: Sequence[VariantPlan]) -> int:
    """How many server processes the variants have together."""
    return sum(plan.instance_count for plan in plans)


def without_shadows(plans: Sequence[VariantPlan]) -> tuple[VariantPlan, ...]:
    """The variants that answer clients."""
    return tuple(plan for plan in plans if not plan.shadow)


def by_type(plans: Sequence[VariantPlan]) -> Counter[str]:
    """How many instances of each type the variants have together; serverless ones have none."""
    counted: Counter[str] = Counter()
    for plan in plans:
        if plan.serverless is None:
            counted[plan.instance_type] += plan.instance_count
    return counted


def within_limit(aws: LocalAws, instance_type: str, more: int) -> None:
    """ResourceLimitExceeded if `more` server processes are more than this machine bears."""
    used = sum(_processes(record) for record in ENDPOINTS.all(aws))
    if more > 0 and used + more > INSTANCE_LIMIT:
        raise ResourceLimitExceeded(
            f"The account-level service limit '{instance_type} for endpoint usage' is {INSTANCE_LIMIT} "
            f"Instances, with current utilization of {used} Instances and a request delta of {more} "
            "Instances. (In the local AWS every instance is a process on this machine, and a blue/green "
            "update runs the old and the new ones side by side: ask for fewer instances, or delete an "
            "endpoint.)"
        )


def announce(aws: LocalAws, record: Record) -> None:
    """The event of a new status. Unlike the API it spells statuses IN_SERVICE:
    https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html#eventbridge-endpoint
    """
    detail = {**record, "EndpointStatus": xform_name(record["EndpointStatus"]).upper()}
    events.state_change(aws, "Endpoint", "DescribeEndpoint", detail, record["EndpointArn"])


def in_use(record: Mapping[str, Any]) -> Counter[str]:
    """The instances an endpoint has by type, those of a fleet that comes up beside the old one included."""
    counted: Counter[str] = Counter()
    for stored in _fleets(record):
        for plan, variant in zip(plans_of(stored), variants_of(stored), strict=True):
            if plan.serverless is None:
                counted[plan.instance_type] += variant["DesiredInstanceCount"]
    return counted


def serverless_in_use(record: Mapping[str, Any]) -> tuple[int, int]:
    """How many serverless endpoints that is, one or none, and how many requests at a time it may have.

    An update takes the place of what is there, so the greater of both counts.
    """
    return max((serverless(plans_of(stored)) for stored in _fleets(record)), default=(0, 0))


def serverless(plans: Sequence[VariantPlan]) -> tuple[int, int]:
    """Whether these variants are a serverless endpoint, and the requests that it takes at a time."""
    sizes = [plan.serverless for plan in plans if plan.serverless is not None]
    return min(len(sizes), 1), sum(size.max_concurrency for size in sizes)


def _processes(record: Mapping[str, Any]) -> int:
    variants = [variant for stored in _fleets(record) for variant in variants_of(stored)]
    return sum(variant.get("DesiredInstanceCount", 1) for variant in variants)


def _fleets(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    if record["EndpointStatus"] == "Failed":
        return []
    return [record, record[PENDING]] if record.get(PENDING) else [record]
