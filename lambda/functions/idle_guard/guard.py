"""Is the endpoint idle? If nobody asked it anything for N minutes, ask promote-model to put it to sleep.

It is left alone while it is changed, and for N minutes after that: a model just released is given its time.
Requests are counted by SageMaker itself (`Invocations`), so callers that go past the API count too.
Source: https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from contract.decisions import Outcome
from contract.environment import IdleGuardEnvironment
from functions.common import asking, champion, logs
from functions.common.clients import client, describe

METRICS_LATE = timedelta(minutes=2)
"""How long after a request CloudWatch may first show it."""


def guard(env: IdleGuardEnvironment) -> dict[str, Any]:
    """Look once; returns what was seen, and what promote-model answered when it was asked."""
    # Read first: a champion that comes while we look is another than the one we ask to put to sleep.
    decision = champion.current(env.champion_parameter)
    endpoint = describe(client("sagemaker").describe_endpoint, EndpointName=env.endpoint_name)
    if endpoint is None:
        return _saw("there is no endpoint")
    if endpoint["EndpointStatus"] != "InService":
        return _saw(f"the endpoint is {endpoint['EndpointStatus']}")
    now, patience = datetime.now(UTC), timedelta(minutes=env.idle_minutes)
    if now - endpoint["LastModifiedTime"] < patience + METRICS_LATE:
        return _saw("the endpoint was changed a short while ago")
    requests = _requests(env, now - patience - METRICS_LATE, now)
    if requests:
        return _saw(f"{requests:.0f} requests")
    why = f"no request for {env.idle_minutes} minutes"
    request = {"action": "sleep", "code": Outcome.IDLE, "why": why, "model": decision.model}
    reply = asking.ask(env.promote_function, request)
    logs.info("put to sleep", why=why, champion=decision.model, answer=reply)
    return {"saw": why, "asked": reply}


def _requests(env: IdleGuardEnvironment, start: datetime, end: datetime) -> float:
    answer = client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName="Invocations",
        Dimensions=[
            {"Name": "EndpointName", "Value": env.endpoint_name},
            {"Name": "VariantName", "Value": env.variant},
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
