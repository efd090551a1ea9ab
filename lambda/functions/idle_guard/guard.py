"""Is the endpoint idle? If nobody asked it anything for N minutes, ask promote-model to put it to sleep.

It is left alone while it is changed, and for N minutes after that: a model just released is given its time.
Requests are counted by SageMaker itself (`Invocations`), so callers that go past the API count too.
Source: https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from contract.environment import IdleGuardEnvironment
from functions.common import champion, launching, logs
from functions.common.decisions import Code

METRICS_LATE = timedelta(minutes=2)
"""How long after a request CloudWatch may first show it."""


@dataclass(frozen=True)
class Clients:
    """The services this function talks to."""

    sagemaker: Any
    cloudwatch: Any
    ssm: Any
    lambda_: Any


def guard(settings: IdleGuardEnvironment, clients: Clients) -> dict[str, Any]:
    """Look once; returns what was seen, and what promote-model answered when it was asked."""
    # Read first: a champion that comes while we look is another than the one we ask to put to sleep.
    decision = champion.current(clients.ssm, settings.champion_parameter)
    endpoint = launching.describe(clients.sagemaker.describe_endpoint, EndpointName=settings.endpoint_name)
    if endpoint is None:
        return _saw("there is no endpoint")
    if endpoint["EndpointStatus"] != "InService":
        return _saw(f"the endpoint is {endpoint['EndpointStatus']}")
    now, patience = datetime.now(UTC), timedelta(minutes=settings.idle_minutes)
    if now - endpoint["LastModifiedTime"] < patience + METRICS_LATE:
        return _saw("the endpoint was changed a short while ago")
    requests = _requests(settings, clients, now - patience - METRICS_LATE, now)
    if requests:
        return _saw(f"{requests:.0f} requests")
    why = f"no request for {settings.idle_minutes} minutes"
    request = {"action": "sleep", "code": Code.IDLE, "why": why, "model": decision.model}
    answer = clients.lambda_.invoke(
        FunctionName=settings.promote_function, Payload=json.dumps(request).encode()
    )
    said = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:
        raise RuntimeError(f"{settings.promote_function} failed: {said}")
    logs.info("put to sleep", why=why, champion=decision.model, answer=said)
    return {"saw": why, "asked": said}


def _requests(settings: IdleGuardEnvironment, clients: Clients, start: datetime, end: datetime) -> float:
    answer = clients.cloudwatch.get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[
            {"Name": "EndpointName", "Value": settings.endpoint_name},
            {"Name": "VariantName", "Value": settings.variant},
        ],
        StartTime=start,
        EndTime=end,
        Period=_period(end - start),
        Statistics=["Sum"],
    )
    return float(sum(point["Sum"] for point in answer["Datapoints"]))


def _period(span: timedelta) -> int:
    """Seconds per datapoint: whole minutes, and no more than the 1440 datapoints that AWS gives at once."""
    minutes = int(span.total_seconds() // 60)
    return 60 * (minutes // 1000 + 1)


def _saw(what: str) -> dict[str, Any]:
    logs.info("looked", saw=what)
    return {"saw": what}
