"""The metrics that target-tracking policies follow: their place in CloudWatch, and reading them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local_aws.autoscaling.decision import HIGH, HIGH_RESOLUTION, Points, Window
from local_aws.autoscaling.variants import component_of, parse
from local_aws.core.context import LocalAws
from local_aws.core.errors import ValidationException

# Endpoints publish every ten seconds: a period is read when its last data must have arrived.
LATE_SECONDS = 12
# https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-target-metric.html
_PREDEFINED = {
    "SageMakerVariantInvocationsPerInstance": ("InvocationsPerInstance", "Sum", HIGH),
    "SageMakerVariantConcurrentRequestsPerModelHighResolution": (
        "ConcurrentRequestsPerModel",
        "Average",
        HIGH_RESOLUTION,
    ),
}
_OF_COMPONENT = {
    "SageMakerInferenceComponentInvocationsPerCopy": ("InvocationsPerCopy", "Sum", HIGH),
    "SageMakerInferenceComponentConcurrentRequestsPerCopyHighResolution": (
        "ConcurrentRequestsPerCopy",
        "Average",
        HIGH_RESOLUTION,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric in CloudWatch, and the window after which it may scale out."""

    namespace: str
    name: str
    dimensions: list[dict[str, str]]
    """As CloudWatch takes them."""
    statistic: str
    unit: str | None
    high: Window


@dataclass(frozen=True)
class RaisedAlarm:
    """A CloudWatch alarm in state ALARM, and by how much its metric is over the threshold (at least 0)."""

    name: str
    above: float


def step_of(steps: Mapping[str, Any], above: float) -> int:
    """The change in capacity which a step policy has for a metric so far above its alarm's threshold."""
    for step in steps["StepAdjustments"]:
        low = step.get("MetricIntervalLowerBound", float("-inf"))
        high = step.get("MetricIntervalUpperBound", float("inf"))
        if low <= above < high:
            return int(step["ScalingAdjustment"])
    return 0


def of_policy(resource_id: str, configuration: Mapping[str, Any]) -> Metric:
    """The metric that a policy follows. Raises ValidationException for kinds that are not known here."""
    high, followed = HIGH, configuration.get("CustomizedMetricSpecification")
    if predefined := configuration.get("PredefinedMetricSpecification"):
        kind = predefined["PredefinedMetricType"]
        component = component_of(resource_id)
        known = _PREDEFINED if component is None else _OF_COMPONENT
        if kind not in known:
            raise ValidationException(
                f"The predefined metric {kind} is not available for {resource_id} here; use one of "
                f"{', '.join(sorted(known))} or a CustomizedMetricSpecification."
            )
        name, statistic, high = known[kind]
        names = {"InferenceComponentName": component}
        if component is None:
            names = dict(zip(("EndpointName", "VariantName"), parse(resource_id), strict=True))
        followed = {
            "Namespace": "AWS/SageMaker",
            "MetricName": name,
            "Statistic": statistic,
            "Dimensions": [{"Name": key, "Value": value} for key, value in names.items()],
        }
    elif not followed or not all(key in followed for key in ("Namespace", "MetricName", "Statistic")):
        raise ValidationException(
            "A target-tracking policy needs a PredefinedMetricSpecification, or a "
            "CustomizedMetricSpecification with Namespace, MetricName and Statistic (metric math is not part "
            "of the local AWS)."
        )
    return Metric(
        namespace=followed["Namespace"],
        name=followed["MetricName"],
        dimensions=followed.get("Dimensions", []),
        statistic=followed["Statistic"],
        unit=followed.get("Unit"),
        high=high,
    )


class CloudWatchMetrics:
    """Metrics as CloudWatch has them."""

    def __init__(self, aws: LocalAws) -> None:
        self._aws = aws

    def read(self, metric: Metric, window: Window, now: datetime) -> Points:
        """Its values in the last whole periods before `now`, oldest first, None where it has no data."""
        end = int(now.timestamp() - LATE_SECONDS) // window.period * window.period
        starts = [end - window.period * back for back in range(window.count, 0, -1)]
        stat: dict[str, Any] = {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": metric.dimensions,
            },
            "Period": window.period,
            "Stat": metric.statistic,
        }
        if metric.unit is not None:
            stat["Unit"] = metric.unit
        answer = self._aws.client("cloudwatch").get_metric_data(
            MetricDataQueries=[{"Id": "m", "MetricStat": stat}],
            StartTime=datetime.fromtimestamp(starts[0], UTC),
            EndTime=datetime.fromtimestamp(end, UTC),
        )["MetricDataResults"][0]
        found = dict(
            zip((int(time.timestamp()) for time in answer["Timestamps"]), answer["Values"], strict=True)
        )
        return [found.get(start) for start in starts]

    def raised(self, policy_arn: str) -> RaisedAlarm | None:
        """An alarm in state ALARM that has this policy for its action; how far above, its reason says."""
        alarms = self._aws.client("cloudwatch").describe_alarms(StateValue="ALARM")["MetricAlarms"]
        for alarm in alarms:
            if policy_arn in alarm.get("AlarmActions", []):
                points = json.loads(alarm.get("StateReasonData") or "{}").get("recentDatapoints", [])
                newest = max((value for value in points if value is not None), default=alarm["Threshold"])
                return RaisedAlarm(alarm["AlarmName"], max(0.0, newest - alarm["Threshold"]))
        return None
