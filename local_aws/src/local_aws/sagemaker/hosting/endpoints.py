"""Endpoints: the API's side. What is asked is checked and written down here; `hosted_fleets` carries it out.

Every change of an endpoint is one step from a settled status (InService, Failed) to a busy one (Creating,
Updating, Deleting) in a single transaction, so two callers can never work on the same endpoint, and a server
that is killed finds in the record what was going on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from local_aws.autoscaling import targets
from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.errors import ValidationException
from local_aws.sagemaker.hosting import deployment, endpoint_checks, endpoint_configs
from local_aws.sagemaker.hosting.component_records import COMPONENTS
from local_aws.sagemaker.hosting.endpoint_records import (
    ENDPOINTS,
    PENDING,
    by_type,
    instances,
    listed,
    new_record,
    pending,
    plans_of,
    variants_of,
    within_limit,
    without_shadows,
)
from local_aws.sagemaker.hosting.hosted_fleets import EndpointFleets
from local_aws.sagemaker.serving.plans import VariantPlan


def register(svc: JsonService, aws: LocalAws, fleets: EndpointFleets) -> None:
    """Answer the operations on endpoints."""
    ENDPOINTS.register(svc, aws)

    @svc.operation("CreateEndpoint")
    def create(request: Request) -> Response:
        plans = endpoint_configs.plan(aws, request["EndpointConfigName"])
        # An endpoint is made without shifting traffic, but its next updates may retain this configuration.
        deployment.steps(request.get("DeploymentConfig"), instances(without_shadows(plans)))
        record = new_record(aws, request, plans)
        with aws.store.transaction():
            endpoint_checks.check_fleet(aws, request["EndpointName"], plans)
            ENDPOINTS.create(aws, record, request)
        fleets.create(record)
        return {"EndpointArn": record["EndpointArn"]}

    @svc.operation("UpdateEndpoint")
    def update(request: Request) -> Response:
        config = request["EndpointConfigName"]
        plans = endpoint_configs.plan(aws, config)

        def change(record: dict[str, Any]) -> dict[str, Any]:
            way = _deployment_config(record, request)
            endpoint_checks.check_update(aws, record, plans, way)
            retained = _retain(record, request, plans)
            deployment.steps(way, instances(without_shadows(retained)))
            endpoint_checks.check_fleet(aws, record["EndpointName"], retained)
            return {**record, "EndpointStatus": "Updating", PENDING: pending(aws, config, retained, way)}

        record = ENDPOINTS.begin(aws, request["EndpointName"], change)
        fleets.update(record)
        return {"EndpointArn": record["EndpointArn"]}

    @svc.operation("UpdateEndpointWeightsAndCapacities")
    def resize(request: Request) -> Response:
        wanted = {item["VariantName"]: item for item in request["DesiredWeightsAndCapacities"]}

        def change(record: dict[str, Any]) -> dict[str, Any]:
            plans, before = _resized(record, wanted), plans_of(record)
            endpoint_checks.check_instances(aws, by_type(plans) - by_type(before), by_type(plans).total())
            within_limit(aws, plans[0].instance_type, instances(plans) - instances(before))
            pairs = zip(variants_of(record), plans, strict=True)
            variants = [_desired(variant, plan) for variant, plan in pairs]
            return {**record, "EndpointStatus": "Updating", **listed(plans, variants)}

        record = ENDPOINTS.begin(aws, request["EndpointName"], change)
        fleets.resize(record)
        return {"EndpointArn": record["EndpointArn"]}

    @svc.operation("DeleteEndpoint")
    def delete(request: Request) -> Response:
        _check_empty(aws, request["EndpointName"])
        deleting = {"EndpointStatus": "Deleting"}
        record = ENDPOINTS.begin(aws, request["EndpointName"], lambda record: record | deleting, "Failed")
        _forget_targets(aws, record)
        fleets.delete(record)
        return {}


def _check_empty(aws: LocalAws, name: str) -> None:
    """AWS documents: delete inference components first.

    https://docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints-delete-resources.html
    """
    left = [each for each in COMPONENTS.all(aws) if each["EndpointName"] == name]
    if left:
        raise ValidationException(
            f'Cannot delete endpoint "{aws.arn(f"endpoint/{name}")}" with inference components: delete '
            f"{left[0]['InferenceComponentName']} first."
        )


def _forget_targets(aws: LocalAws, record: Mapping[str, Any]) -> None:
    for variant in record["ProductionVariants"]:
        targets.forget(aws, targets.of_variant(record["EndpointName"], variant["VariantName"]))


def _retain(
    record: Mapping[str, Any], request: Request, plans: Sequence[VariantPlan]
) -> tuple[VariantPlan, ...]:
    """The new variants, with the counts and weights of running ones if that is asked for."""
    if not request.get("RetainAllVariantProperties", False):
        return tuple(plans)
    excluded = {item["VariantPropertyType"] for item in request.get("ExcludeRetainedVariantProperties", [])}
    running = {variant["VariantName"]: variant for variant in variants_of(record)}
    retained = []
    for plan in plans:
        now = running.get(plan.name)
        if now is not None and "DesiredInstanceCount" in now and "DesiredInstanceCount" not in excluded:
            plan = replace(plan, instance_count=now["DesiredInstanceCount"])
        if now is not None and "DesiredWeight" not in excluded:
            plan = replace(plan, weight=now["DesiredWeight"])
        retained.append(plan)
    return tuple(retained)


def _deployment_config(record: Mapping[str, Any], request: Request) -> dict[str, Any] | None:
    if request.get("RetainDeploymentConfig", False):
        return record.get("LastDeploymentConfig")
    return request.get("DeploymentConfig")


def _resized(record: Mapping[str, Any], wanted: Mapping[str, Mapping[str, Any]]) -> tuple[VariantPlan, ...]:
    plans = plans_of(record)
    unknown = wanted.keys() - {plan.name for plan in plans}
    if unknown:
        raise ValidationException(
            f"Variant {', '.join(sorted(unknown))} not found for endpoint {record['EndpointArn']}; it has "
            f"{', '.join(plan.name for plan in plans)}."
        )
    resized = []
    for plan in plans:
        item = wanted.get(plan.name, {})
        if plan.serverless is not None:
            raise ValidationException(f"Variant {plan.name} is serverless and has no instances to set.")
        count = item.get("DesiredInstanceCount", plan.instance_count)
        if count < 1:
            raise ValidationException(f"DesiredInstanceCount of variant {plan.name} must be at least 1.")
        resized.append(replace(plan, instance_count=count, weight=item.get("DesiredWeight", plan.weight)))
    return tuple(resized)


def _desired(variant: Mapping[str, Any], plan: VariantPlan) -> dict[str, Any]:
    return {**variant, "DesiredInstanceCount": plan.instance_count, "DesiredWeight": plan.weight}
