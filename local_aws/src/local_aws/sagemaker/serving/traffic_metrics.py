"""CloudWatch's view of the endpoints: what AWS publishes per EndpointName and VariantName in AWS/SageMaker.

The metrics of requests are published per EndpointConfigName too, so that an alarm can watch a new fleet
without the old one beside it.
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html

A request only adds to counters in memory; a thread publishes them every ten seconds, equal values together.
Idle variants publish zeros, which is what lets auto scaling shrink them.
https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from local_aws.autoscaling.variants import component_of
from local_aws.core.context import LocalAws
from local_aws.sagemaker.serving.router import Router

NAMESPACE = "AWS/SageMaker"
PERIOD_SECONDS = 10
# PutMetricData takes at most 150 different values per metric and 1000 metrics per request.
_MAX_VALUES = 150
_MAX_METRICS = 500
_UNITS = {"ModelLatency": "Microseconds", "OverheadLatency": "Microseconds"}
Variant = tuple[str, str, str]
"""Endpoint (or the route of an inference component), variant and endpoint configuration; without the last,
whatever configuration it has."""
# What the metrics per instance are called for an inference component.
_OF_COMPONENT = {
    "ConcurrentRequestsPerModel": "ConcurrentRequestsPerCopy",
    "InvocationsPerInstance": "InvocationsPerCopy",
}


class TrafficMetrics:
    """The counters of all variants, and the thread that publishes them."""

    def __init__(self, aws: LocalAws, router: Router) -> None:
        self._aws = aws
        self._router = router
        self._lock = threading.Lock()
        self._counted: dict[tuple[Variant, str], Counter[float]] = defaultdict(Counter)
        self._stopped = threading.Event()

    def record(self, variant: Variant, servers: int, status: int, model: float, overhead: float) -> None:
        """Count one invocation.

        Args:
            servers: how many servers the variant has; each invocation counts for 1/servers per instance.
            status: the container's HTTP status, 0 if it gave no answer.
            model, overhead: seconds the model took, and seconds the way there and back added.
        """
        values = {
            "Invocations": 1.0,
            "InvocationsPerInstance": 1.0 / servers,
            "Invocation4XXErrors": float(400 <= status < 500),
            "Invocation5XXErrors": float(status >= 500),
            "InvocationModelErrors": float(not 200 <= status < 300),
            "ModelLatency": _rounded(model * 1e6),
            "OverheadLatency": _rounded(overhead * 1e6),
        }
        with self._lock:
            for name, value in values.items():
                self._counted[variant, name][value] += 1

    def no_capacity(self, route: str) -> None:
        """Count a request that found no copy of an inference component."""
        with self._lock:
            self._counted[(route, "", ""), "NoCapacityInvocationFailures"][1.0] += 1

    def start(self) -> None:
        """Publish from now on, until `stop`."""
        self._aws.spawn(self._publish_often, "endpoint metrics")

    def stop(self) -> None:
        """Publish no more."""
        self._stopped.set()

    def sample(self) -> None:
        """Note how many requests each server has in flight at this moment."""
        for endpoint, variant, loads in self._router.loads():
            with self._lock:
                counter = self._counted[(endpoint, variant, ""), "ConcurrentRequestsPerModel"]
                counter.update(float(load) for load in loads or [0])

    def data(self) -> Iterator[dict[str, Any]]:
        """What was counted since the last call, as PutMetricData takes it."""
        with self._lock:
            counted, self._counted = self._counted, defaultdict(Counter)
        for ((endpoint, variant, config), name), counter in list(counted.items()):
            if config:
                counted[(endpoint, variant, ""), name] += counter
        for endpoint, variant, _ in self._router.loads():
            # A variant without traffic still has a load: none.
            counted[(endpoint, variant, ""), "InvocationsPerInstance"] += Counter()
        now = self._aws.now()
        for ((endpoint, variant, config), name), counter in counted.items():
            values = sorted(counter.items()) or [(0.0, 1)]
            component = component_of(endpoint)
            named = (
                {"InferenceComponentName": component}
                if component
                else {"EndpointName": endpoint, "VariantName": variant}
            )
            if config:
                named["EndpointConfigName"] = config
            for start in range(0, len(values), _MAX_VALUES):
                part = values[start : start + _MAX_VALUES]
                yield {
                    "MetricName": _OF_COMPONENT.get(name, name) if component else name,
                    "Dimensions": [{"Name": key, "Value": value} for key, value in named.items()],
                    "Timestamp": now,
                    "Values": [value for value, _ in part],
                    "Counts": [float(count) for _, count in part],
                    "Unit": _UNITS.get(name, "None"),
                    "StorageResolution": 1 if name == "ConcurrentRequestsPerModel" else 60,
                }

    def publish(self) -> None:
        """Send what was counted to CloudWatch."""
        data = list(self.data())
        if not data:
            return
        cloudwatch = self._aws.client("cloudwatch")
        for start in range(0, len(data), _MAX_METRICS):
            cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data[start : start + _MAX_METRICS])

    def _publish_often(self) -> None:
        elapsed = 0
        while not self._stopped.wait(1):
            self.sample()
            elapsed += 1
            if elapsed % PERIOD_SECONDS == 0:
                self.publish()


def _rounded(microseconds: float) -> float:
    """To two digits, so that thousands of latencies are a few dozen different values; off by 5 % at most."""
    return float(f"{microseconds:.1e}")
