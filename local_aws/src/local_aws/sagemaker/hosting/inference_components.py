"""Inference components, the API's side: a model on an endpoint's instances, in so many copies, also none.

What is asked is checked and written down here; `hosted_fleets` carries it out.
https://docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints-deploy-models.html
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.errors import AwsError, ValidationException
from local_aws.sagemaker.hosting import endpoint_configs
from local_aws.sagemaker.hosting.component_records import (
    COMPONENTS,
    PENDING,
    check_copy,
    plan_of,
    route_name,
    variant_of,
)
from local_aws.sagemaker.hosting.endpoint_records import DEPLOYMENT, ENDPOINTS, PLAN
from local_aws.sagemaker.hosting.hosted_fleets import ComponentFleets
from local_aws.sagemaker.serving.plans import VariantPlan

_Some = Mapping[str, Any] | None
_NOT_HERE = ("Container", "BaseInferenceComponentName", "DataCacheConfig", "SchedulingConfig")
NO_CAPACITY = (
    "Inference Component has no capacity to process this request. ApplicationAutoScaling may be in-progress "
    "(if configured) or try to increase the capacity by invoking UpdateInferenceComponentRuntimeConfig API."
)


def register(svc: JsonService, aws: LocalAws, fleets: ComponentFleets) -> None:
    """Answer the operations on inference components."""
    COMPONENTS.register(svc, aws)

    def changed(name: str, specification: _Some, runtime: _Some) -> Response:
        record = COMPONENTS.begin(aws, name, lambda record: _pending(aws, record, specification, runtime))
        fleets.update(record)
        return {"InferenceComponentArn": record["InferenceComponentArn"]}

    @svc.operation("CreateInferenceComponent")
    def create(request: Request) -> Response:
        record = _record(aws, request)
        COMPONENTS.create(aws, record, request)
        fleets.create(record)
        return {"InferenceComponentArn": record["InferenceComponentArn"]}

    @svc.operation("UpdateInferenceComponent")
    def update(request: Request) -> Response:
        name = request["InferenceComponentName"]
        return changed(name, request.get("Specification"), request.get("RuntimeConfig"))

    @svc.operation("UpdateInferenceComponentRuntimeConfig")
    def resize(request: Request) -> Response:
        return changed(request["InferenceComponentName"], None, request["DesiredRuntimeConfig"])

    @svc.operation("DeleteInferenceComponent")
    def delete(request: Request) -> Response:
        name, deleting = request["InferenceComponentName"], {"InferenceComponentStatus": "Deleting"}
        fleets.delete(COMPONENTS.begin(aws, name, lambda record: record | deleting, "Failed"))
        return {}


def route(aws: LocalAws, endpoint: str, component: str | None) -> str:
    """Where the router finds what a request addresses.

    Raises AwsError if the endpoint has components and the request names none, or one that is not there.
    """
    if component is None:
        if any(record["EndpointName"] == endpoint for record in COMPONENTS.all(aws)):
            raise AwsError(
                "ValidationError",
                "Inference Component Name header is required for endpoints to which you plan to deploy "
                "inference components. Please include Inference Component Name header or consider using "
                "SageMaker models.",
            )
        return endpoint
    record = aws.store.get(COMPONENTS.kind, component)
    exists = aws.store.get(ENDPOINTS.kind, endpoint) is not None
    if record is None or record["EndpointName"] != endpoint or not exists:
        message = f"Inference component {component} of endpoint {endpoint} not found."
        raise AwsError("ValidationError", message)
    return route_name(component)


def _record(aws: LocalAws, request: Request) -> dict[str, Any]:
    name, endpoint = request["InferenceComponentName"], ENDPOINTS.find(aws, request["EndpointName"])
    specification = request.get("Specification")
    if specification is None:
        raise ValidationException("The local AWS takes components with one Specification.")
    _check_specification(specification)
    config = endpoint_configs.find(aws, endpoint["EndpointConfigName"])
    variants = {variant["VariantName"]: variant for variant in config["ProductionVariants"]}
    variant = request.get("VariantName", next(iter(variants)))
    if variant not in variants or "ModelName" in variants[variant]:
        raise ValidationException(
            f"Inference components need a variant of {endpoint['EndpointArn']} without a ModelName; "
            f"{variant} is none."
        )
    check_copy(variants[variant], specification)
    copies = request.get("RuntimeConfig", {}).get("CopyCount", 1)
    if copies < 1:  # in AWS's words; a component that has copies may be taken to none
        raise ValidationException("Inference components copy count an integer larger than 0")
    plan = plan_of(aws, specification["ModelName"], variant, config["ExecutionRoleArn"], copies)
    now = aws.now()
    return {
        "InferenceComponentName": name,
        "InferenceComponentArn": aws.arn(f"{COMPONENTS.kind}/{name}"),
        "EndpointName": endpoint["EndpointName"],
        "EndpointArn": endpoint["EndpointArn"],
        "VariantName": variant,
        "Specification": dict(specification),
        "RuntimeConfig": {"DesiredCopyCount": copies, "CurrentCopyCount": 0},
        "InferenceComponentStatus": "Creating",
        "CreationTime": now,
        "LastModifiedTime": now,
        PLAN: plan.dump(),
        DEPLOYMENT: uuid.uuid4().hex[:12],
    }


def _pending(aws: LocalAws, record: dict[str, Any], specification: _Some, runtime: _Some) -> dict[str, Any]:
    """The record while it is on its way to another model or number of copies."""
    wanted = dict(specification or record["Specification"])
    _check_specification(wanted)
    plan = VariantPlan.load(record[PLAN])
    copies = runtime["CopyCount"] if runtime else plan.instance_count
    if specification:
        variant = variant_of(aws, record["EndpointName"], record["VariantName"])
        if variant is not None:
            check_copy(variant, specification)
        plan = plan_of(aws, wanted["ModelName"], plan.name, plan.role_arn, copies)
    runtime_config = {**record["RuntimeConfig"], "DesiredCopyCount": copies}
    pending = {PLAN: replace(plan, instance_count=copies).dump(), "Specification": wanted}
    busy = {"InferenceComponentStatus": "Updating", "RuntimeConfig": runtime_config, PENDING: pending}
    return {**record, **busy}


def _check_specification(specification: Mapping[str, Any]) -> None:
    for member in _NOT_HERE:
        if member in specification:
            raise ValidationException(f"The local AWS runs components by ModelName; leave {member} out.")
    if "ModelName" not in specification or "ComputeResourceRequirements" not in specification:
        raise ValidationException("A Specification needs ModelName and ComputeResourceRequirements.")
