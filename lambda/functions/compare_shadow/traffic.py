"""What SageMaker counts of a variant: requests, errors and latency.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from functions.common.clients import client

_MINUTE = 60
_MOST_POINTS = 1400
"""AWS gives 1440 at once."""


@dataclass(frozen=True)
class Traffic:
    """One variant in a span of time."""

    requests: int
    errors: int
    """Without an answer, or with an error of the container's own; what it refuses is the sender's mistake."""
    latency_ms: float
    """On average, in the container; 0 without a request."""

    @property
    def error_share(self) -> float:
        return self.errors / self.requests if self.requests else 0.0


def of_variant(endpoint: str, variant: str, start: datetime, end: datetime) -> Traffic:
    """What was asked of a variant from start to end, to the minute."""

    def points(metric: str, *statistics: str) -> list[dict[str, Any]]:
        answer = client("cloudwatch").get_metric_statistics(
            Namespace="AWS/SageMaker",
            MetricName=metric,
            Dimensions=[
                {"Name": "EndpointName", "Value": endpoint},
                {"Name": "VariantName", "Value": variant},
            ],
            StartTime=start,
            EndTime=end,
            Period=_period(end - start),
            Statistics=list(statistics),
        )
        found: list[dict[str, Any]] = answer["Datapoints"]
        return found

    def total(metric: str) -> int:
        return round(math.fsum(point["Sum"] for point in points(metric, "Sum")))

    latency = points("ModelLatency", "Sum", "SampleCount")
    count = sum(point["SampleCount"] for point in latency)
    micros = math.fsum(point["Sum"] for point in latency)
    return Traffic(
        requests=total("Invocations"),
        errors=max(0, total("InvocationModelErrors") - total("Invocation4XXErrors")),
        latency_ms=micros / count / 1000 if count else 0.0,
    )


def _period(span: timedelta) -> int:
    minutes = max(1.0, span.total_seconds() / _MINUTE)
    return _MINUTE * math.ceil(minutes / _MOST_POINTS)
