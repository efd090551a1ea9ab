"""Scaling policies: target tracking, with the two CloudWatch alarms AWS makes for each; and step scaling,
whose alarm its user makes.

The alarms are there to be seen and charted; the scaler judges by the same thresholds itself, on its own
clock.
"""

from __future__ import annotations

import uuid
from typing import Any

from local_aws.autoscaling import metrics
from local_aws.autoscaling.decision import LOW, LOW_FRACTION, Window
from local_aws.autoscaling.records import POLICY, TARGET, answer_page, identity, key, not_found
from local_aws.autoscaling.targets import supported
from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.errors import ValidationException

# What AWS uses for SageMaker when a policy names none, in seconds.
COOLDOWN = 300
CONFIGURATION = "TargetTrackingScalingPolicyConfiguration"
STEPS = "StepScalingPolicyConfiguration"


def register(svc: JsonService, aws: LocalAws) -> None:
    """Answer the operations on policies."""

    @svc.operation("PutScalingPolicy")
    def put(request: Request) -> Response:
        supported(request)
        if aws.store.get(TARGET, key(request)) is None:
            raise not_found("scalable target", request)
        before = _find(aws, request)
        record = _record(aws, before, request)
        if record["PolicyType"] != "StepScaling":
            _make_alarms(aws, record)
        aws.store.put(POLICY, record["PolicyARN"], record)
        return {"PolicyARN": record["PolicyARN"], "Alarms": record["Alarms"]}

    @svc.operation("DescribeScalingPolicies")
    def describe(request: Request) -> Response:
        names = request.get("PolicyNames")
        found = [
            record
            for record in aws.store.list(POLICY)
            if not names or record["PolicyName"] in names or record["PolicyARN"] in names
        ]
        return answer_page("ScalingPolicies", found, request)

    @svc.operation("DeleteScalingPolicy")
    def delete(request: Request) -> Response:
        record = _find(aws, request)
        if record is None:
            raise not_found("scaling policy", request)
        names = [alarm["AlarmName"] for alarm in record["Alarms"]]
        if names:
            aws.client("cloudwatch").delete_alarms(AlarmNames=names)
        aws.store.delete(POLICY, record["PolicyARN"])
        return {}


def _find(aws: LocalAws, request: Request) -> dict[str, Any] | None:
    for record in aws.store.list(POLICY):
        if key(record) == key(request) and record["PolicyName"] == request["PolicyName"]:
            return record
    return None


def _record(aws: LocalAws, before: dict[str, Any] | None, request: Request) -> dict[str, Any]:
    """The stored policy. Raises ValidationException for kinds that are not part of the local AWS."""
    kind = request.get("PolicyType", before["PolicyType"] if before else "StepScaling")
    member = STEPS if kind == "StepScaling" else CONFIGURATION
    configuration = request.get(member, (before or {}).get(member))
    _check(kind, configuration, request["ResourceId"])
    name, resource = request["PolicyName"], request["ResourceId"]
    identifier = f"scalingPolicy:{uuid.uuid4()}:resource/sagemaker/{resource}"
    arn = aws.arn(f"{identifier}:policyName/{name}", "autoscaling")
    record = {
        "PolicyARN": before["PolicyARN"] if before else arn,
        "PolicyName": name,
        "PolicyType": kind,
        member: configuration,
        "CreationTime": before["CreationTime"] if before else aws.now(),
        **identity(request),
    }
    own = () if kind == "StepScaling" else ("High", "Low")
    record["Alarms"] = before["Alarms"] if before else [_alarm(aws, resource, end) for end in own]
    return record


def _check(kind: str, configuration: dict[str, Any] | None, resource: str) -> None:
    if kind not in ("TargetTrackingScaling", "StepScaling") or configuration is None:
        raise ValidationException(
            f"The local AWS has policies of type TargetTrackingScaling with a {CONFIGURATION} and "
            f"StepScaling with {STEPS}, not {kind}."
        )
    if kind == "StepScaling":
        if configuration.get("AdjustmentType") != "ChangeInCapacity" or not configuration.get(
            "StepAdjustments"
        ):
            raise ValidationException("The local AWS takes steps of ChangeInCapacity with StepAdjustments.")
        return
    if configuration["TargetValue"] <= 0:
        raise ValidationException("TargetValue must be greater than 0.")
    metrics.of_policy(resource, configuration)


def _alarm(aws: LocalAws, resource: str, end: str) -> dict[str, str]:
    name = f"TargetTracking-{resource}-Alarm{end}-{uuid.uuid4()}"
    return {"AlarmName": name, "AlarmARN": aws.arn(f"alarm:{name}", "cloudwatch")}


def _make_alarms(aws: LocalAws, record: dict[str, Any]) -> None:
    configuration = record[CONFIGURATION]
    metric = metrics.of_policy(record["ResourceId"], configuration)
    target, arn = configuration["TargetValue"], record["PolicyARN"]

    def put(alarm: dict[str, str], window: Window, comparison: str, threshold: float) -> None:
        aws.client("cloudwatch").put_metric_alarm(
            AlarmName=alarm["AlarmName"],
            AlarmDescription=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {arn}.",
            ActionsEnabled=True,
            AlarmActions=[arn],
            Namespace=metric.namespace,
            MetricName=metric.name,
            Dimensions=metric.dimensions,
            Statistic=metric.statistic,
            Period=window.period,
            EvaluationPeriods=window.count,
            Threshold=threshold,
            ComparisonOperator=comparison,
        )

    high, low = record["Alarms"]
    put(high, metric.high, "GreaterThanThreshold", target)
    put(low, LOW, "LessThanThreshold", target * LOW_FRACTION)
