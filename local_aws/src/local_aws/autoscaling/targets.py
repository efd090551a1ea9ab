"""Scalable targets: the variants that may be scaled, and between which sizes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from local_aws.autoscaling.records import ACTIVITY, POLICY, TARGET, answer_page, identity, key, not_found
from local_aws.autoscaling.variants import DIMENSIONS, Variants, component_of, parse
from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.errors import AwsError, ValidationException

_RUNNING = {
    "DynamicScalingInSuspended": False,
    "DynamicScalingOutSuspended": False,
    "ScheduledScalingSuspended": False,
}


def register(svc: JsonService, aws: LocalAws, variants: Variants) -> None:
    """Answer the operations on targets, their activities and their tags."""
    _register_tags(svc, aws)

    @svc.operation("RegisterScalableTarget")
    def register_target(request: Request) -> Response:
        supported(request)
        if variants.read(request["ResourceId"]) is None:
            what = "inference component" if component_of(request["ResourceId"]) else "endpoint variant"
            raise ValidationException(f"SageMaker {what} doesn't exist: {request['ResourceId']}")
        _check_type(variants, request["ResourceId"])
        with aws.store.transaction():
            record = _merged(aws, aws.store.get(TARGET, key(request)), request)
            aws.store.put(TARGET, key(request), record)
        return {"ScalableTargetARN": record["ScalableTargetARN"]}

    @svc.operation("DescribeScalableTargets")
    def describe(request: Request) -> Response:
        wanted = request.get("ResourceIds")
        found = [each for each in aws.store.list(TARGET) if wanted is None or each["ResourceId"] in wanted]
        return answer_page("ScalableTargets", found, request)

    @svc.operation("DescribeScalingActivities")
    def describe_activities(request: Request) -> Response:
        return answer_page("ScalingActivities", reversed(aws.store.list(ACTIVITY)), request)

    @svc.operation("DeregisterScalableTarget")
    def deregister(request: Request) -> Response:
        if not forget(aws, request):
            raise not_found("scalable target", request)
        return {}


def of_variant(endpoint: str, variant: str) -> dict[str, str]:
    """What names the scalable target of an endpoint's variant."""
    return {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/{variant}",
        "ScalableDimension": DIMENSIONS["endpoint"],
    }


def forget(aws: LocalAws, target: Mapping[str, Any]) -> bool:
    """Deregister a target with its policies, alarms and activities; False if it was not registered.

    Whoever deletes an endpoint does the same to its variants:
    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-delete-with-scaling.html
    """
    with aws.store.transaction():
        if not aws.store.delete(TARGET, key(target)):
            return False
        doomed = [policy for policy in aws.store.list(POLICY) if key(policy) == key(target)]
        for policy in doomed:
            aws.store.delete(POLICY, policy["PolicyARN"])
        for activity in aws.store.list(ACTIVITY):
            if key(activity) == key(target):
                aws.store.delete(ACTIVITY, activity["ActivityId"])
    names = [alarm["AlarmName"] for policy in doomed for alarm in policy["Alarms"]]
    if names:
        aws.client("cloudwatch").delete_alarms(AlarmNames=names)
    return True


def _check_type(variants: Variants, resource_id: str) -> None:
    """Raises ValidationException for a variant on burstable instances, which AWS does not scale.

    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-add-policy.html
    """
    instance_type = variants.instance_type(resource_id)
    if instance_type.startswith(("ml.t2.", "ml.t3.")):
        raise ValidationException(
            "Autoscaling is not supported for burstable instances such as T2: "
            f"{resource_id} is on {instance_type}"
        )


def supported(request: Mapping[str, Any]) -> None:
    """Raises ValidationException, in AWS's words, for anything that is no SageMaker variant."""
    kind = request["ResourceId"].partition("/")[0]
    if request["ServiceNamespace"] != "sagemaker" or DIMENSIONS.get(kind) != request["ScalableDimension"]:
        raise ValidationException(
            "Unsupported service namespace, resource type or scalable dimension (the local AWS scales "
            f"{' and '.join(DIMENSIONS.values())} of the namespace sagemaker)"
        )
    if component_of(request["ResourceId"]) is None:
        parse(request["ResourceId"])


def _merged(aws: LocalAws, before: dict[str, Any] | None, request: Request) -> dict[str, Any]:
    """The record of a new target, or of one that is registered again with some members changed."""
    record = dict(before or {})
    for member in ("MinCapacity", "MaxCapacity"):
        if member in request:
            record[member] = request[member]
        if member not in record:
            raise ValidationException(
                "For new scalable targets, you must specify a minimum capacity and a maximum capacity."
            )
    if record["MinCapacity"] < 1 and component_of(request["ResourceId"]) is None:
        raise ValidationException("The minimum capacity of an endpoint variant must be at least 1.")
    if record["MaxCapacity"] < record["MinCapacity"]:
        raise ValidationException("Maximum capacity cannot be less than minimum capacity.")
    record["SuspendedState"] = {**record.get("SuspendedState", _RUNNING), **request.get("SuspendedState", {})}
    if before is None:
        record |= identity(request)
        record["CreationTime"] = aws.now()
        identifier = uuid.uuid4().hex[:24]
        record["ScalableTargetARN"] = aws.arn(f"scalable-target/{identifier}", "application-autoscaling")
        record["RoleARN"] = (
            f"arn:aws:iam::{aws.account}:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/"
            "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
        )
        record["Tags"] = request.get("Tags", {})
    return record


def _register_tags(svc: JsonService, aws: LocalAws) -> None:
    def target(arn: str) -> dict[str, Any]:
        for record in aws.store.list(TARGET):
            if record["ScalableTargetARN"] == arn:
                return record
        raise AwsError("ResourceNotFoundException", f"No scalable target has the ARN {arn}.")

    def change(arn: str, tags: dict[str, str]) -> None:
        aws.store.update(TARGET, key(target(arn)), lambda record: {**record, "Tags": tags})

    @svc.operation("ListTagsForResource")
    def list_tags(request: Request) -> Response:
        return {"Tags": target(request["ResourceARN"])["Tags"]}

    @svc.operation("TagResource")
    def tag(request: Request) -> Response:
        change(request["ResourceARN"], {**target(request["ResourceARN"])["Tags"], **request["Tags"]})
        return {}

    @svc.operation("UntagResource")
    def untag(request: Request) -> Response:
        left = target(request["ResourceARN"])["Tags"]
        change(request["ResourceARN"], {name: left[name] for name in left if name not in request["TagKeys"]})
        return {}
