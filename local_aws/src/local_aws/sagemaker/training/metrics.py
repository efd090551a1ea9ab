"""Metrics of a training job: numbers found in its log lines by the job's own regular expressions.

`JobMetrics` is fed every line, remembers each metric's values in order (the tuner looks at them while the
job runs), hands new points over for CloudWatch in batches, and knows the final value of each metric.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local_aws.core.errors import ValidationException

# Where SageMaker puts training metrics:
# https://docs.aws.amazon.com/sagemaker/latest/dg/training-metrics.html
NAMESPACE = "/aws/sagemaker/TrainingJobs"


@dataclass(frozen=True)
class Point:
    """One value of one metric."""

    name: str
    value: float
    time: datetime


class JobMetrics:
    """The metrics of one job; lines come from the output thread, questions from others."""

    def __init__(self, definitions: Iterable[Mapping[str, str]]) -> None:
        self._patterns = [(entry["Name"], re.compile(entry["Regex"])) for entry in definitions]
        self._points: list[Point] = []
        self._published = 0
        self._lock = threading.Lock()

    def read(self, line: str) -> None:
        """Take the metrics of a log line: the first group of each pattern that matches, if it is a number."""
        now = datetime.now(UTC)
        found = [
            Point(name, value, now)
            for name, pattern in self._patterns
            for match in pattern.finditer(line)
            if (value := _number(match)) is not None
        ]
        if found:
            with self._lock:
                self._points += found

    def values(self, name: str) -> list[float]:
        """All values of a metric so far, oldest first."""
        with self._lock:
            return [point.value for point in self._points if point.name == name]

    def final(self) -> list[dict[str, Any]]:
        """The last value of every metric, as Describe's FinalMetricDataList."""
        with self._lock:
            last = {point.name: point for point in self._points}
        return [
            {"MetricName": point.name, "Value": point.value, "Timestamp": point.time}
            for point in last.values()
        ]

    def publish(self, cloudwatch: Any, job: str) -> None:
        """Put the points that came since the last call into CloudWatch."""
        with self._lock:
            new, self._published = self._points[self._published :], len(self._points)
        for start in range(0, len(new), 500):  # PutMetricData takes at most 1,000 at once
            cloudwatch.put_metric_data(
                Namespace=NAMESPACE,
                MetricData=[
                    {
                        "MetricName": point.name,
                        "Dimensions": [{"Name": "TrainingJobName", "Value": job}],
                        "Timestamp": point.time,
                        "Value": point.value,
                    }
                    for point in new[start : start + 500]
                ],
            )


def check(definitions: Iterable[Mapping[str, str]]) -> None:
    """Raise ValidationException for a regular expression that cannot be used, or a name given twice."""
    known_names: set[str] = set()
    for definition in definitions:
        name, regex = definition["Name"], definition["Regex"]
        if name in known_names:
            raise ValidationException(f"MetricDefinitions: the metric {name} is defined twice.")
        known_names.add(name)
        try:
            re.compile(regex)
        except re.error as error:
            raise ValidationException(
                f"MetricDefinitions: the Regex {regex!r} of the metric {name} is not valid: {error}."
            ) from None


def _number(match: re.Match[str]) -> float | None:
    text = match.group(1) if match.re.groups else match.group(0)
    try:
        value = float(text)
    except (TypeError, ValueError):
        return None
    # CloudWatch takes neither NaN nor infinity; a diverged epoch is a gap, as on AWS.
    return value if math.isfinite(value) else None
