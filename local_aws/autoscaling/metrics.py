"""What a target-tracking policy follows: the predefined metrics' place in CloudWatch, and reading any metric
there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from local_aws.autoscaling.decision import HIGH, HIGH_RESOLUTION, Points, Window
from local_aws.autoscaling.variants import parse
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


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric in CloudWatch, and the window after which it may scale out."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    unit: str | None
    high: Window


class Metrics(Protocol):
    """Where the scaler reads metrics from."""

    def read(self, metric: Metric, window: Window, now: datetime) -> Points:
        """The metric's values in the last whole periods before `now`, oldest first, None where it has no
        data.
        """


def of_policy(resource_id: str, configuration: Mapping[str, Any]) -> Metric:
    """The metric a TargetTrackingScalingPolicyConfiguration follows. Raises ValidationException for other
    kinds.
    """
    if predefined := configuration.get("PredefinedMetricSpecification"):
        kind = predefined["PredefinedMetricType"]
        if kind not in _PREDEFINED:
            raise ValidationException(
                f"The predefined metric {kind} is not available for a SageMaker variant here; use one of "
                f"{', '.join(sorted(_PREDEFINED))} or a CustomizedMetricSpecification."
            )
        name, statistic, high = _PREDEFINED[kind]
        endpoint, variant = parse(resource_id)
        dimensions = (("EndpointName", endpoint), ("VariantName", variant))
        return Metric(
            namespace="AWS/SageMaker",
            name=name,
            dimensions=dimensions,
            statistic=statistic,
            unit=None,
            high=high,
        )
    customized = configuration.get("CustomizedMetricSpecification")
    if not customized or not all(key in customized for key in ("Namespace", "MetricName", "Statistic")):
        raise ValidationException(
            "A target-tracking policy needs a PredefinedMetricSpecification, or a "
            "CustomizedMetricSpecification with Namespace, MetricName and Statistic (metric math is not part "
            "of the local AWS)."
        )
    return Metric(
        namespace=customized["Namespace"],
        name=customized["MetricName"],
        dimensions=tuple((item["Name"], item["Value"]) for item in customized.get("Dimensions", [])),
        statistic=customized["Statistic"],
        unit=customized.get("Unit"),
        high=HIGH,
    )


def dimensions(metric: Metric) -> list[dict[str, str]]:
    """The metric's dimensions as CloudWatch takes them."""
    return [{"Name": name, "Value": value} for name, value in metric.dimensions]


class CloudWatchMetrics:
    """Metrics as CloudWatch has them."""

    def __init__(self, aws: LocalAws) -> None:
        self._aws = aws

    def read(self, metric: Metric, window: Window, now: datetime) -> Points:
        """See `Metrics.read`."""
        end = int(now.timestamp() - LATE_SECONDS) // window.period * window.period
        starts = [end - window.period * back for back in range(window.count, 0, -1)]
        stat: dict[str, Any] = {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": dimensions(metric),
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
