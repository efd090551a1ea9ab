"""When there was an endpoint this month, and with how many instances: an estimate, from four sources.

The champion's history says from when to when a model was to serve. The Serving stack's events say when the
endpoint was made and deleted, and the endpoint, where there is one, when it began. The number of instances in
an hour is `Invocations` divided by `InvocationsPerInstance`; in an hour without requests it is the least that
the stack allows. The second fleet that a release has for a while is not counted.

Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html and
https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html (90 days).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from cli.aws import listed
from cli.cost.prices import hourly_or_none
from cli.release import champion
from cli.stacks import describe, outputs_of, template
from cli.target import Target
from contract import prices
from contract.decisions import Decision
from contract.names import NO_CHAMPION

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Fleet:
    """What the Serving stack's template puts behind the endpoint; `instance` is empty when serverless."""

    variant: str
    instance: str
    least: int


@dataclass(frozen=True)
class Period:
    """A time in which there was an endpoint."""

    start: datetime
    end: datetime


@dataclass(frozen=True)
class Events:
    """When the Serving stack began to make an endpoint, and when one was gone."""

    made: tuple[datetime, ...] = ()
    gone: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Served:
    """What served since `known_since`; `usd` is None for an instance whose price is not known."""

    fleet: Fleet
    periods: tuple[Period, ...]
    instance_hours: float
    usd: float | None
    known_since: datetime


def look(target: Target, began: datetime | None, month: datetime, now: datetime) -> Served | None:
    """What has served since `month`; None when nothing ever was to.

    Args:
        began: when the endpoint that is there now was made; None when there is none.
    """
    decisions = sorted(champion.history(target), key=lambda each: each.version)
    fleet = deployed_fleet(target)
    first = datetime.fromisoformat(decisions[0].written) if decisions else None
    if fleet is None or first is None:
        return None
    requests = _hourly(target, fleet, "Invocations", month, now)
    last_heard = max(requests, default=None)
    found = periods(decisions, _events(target), began, None if last_heard is None else last_heard + HOUR, now)
    found = [replace(each, start=max(each.start, month)) for each in found if each.end > month]
    counts = _counts(requests, _hourly(target, fleet, "InvocationsPerInstance", month, now), fleet.least)
    hours = sum(_instance_hours(each, counts, fleet.least) for each in found) if fleet.instance else 0.0
    price = hourly_or_none(fleet.instance, prices.HOSTING) if fleet.instance else 0.0
    return Served(fleet, tuple(found), hours, None if price is None else hours * price, max(first, month))


def periods(
    history: Sequence[Decision],
    events: Events,
    began: datetime | None,
    last_heard: datetime | None,
    now: datetime,
) -> list[Period]:
    """The times in which there was an endpoint.

    Args:
        history: every decision, in the order they were written.
        events: of the Serving stack, as far as they are known.
        began: when the endpoint that is there now was made; None when there is none.
        last_heard: when the last endpoint answered last, for one that is gone and nobody knows since when.
    """
    found: list[Period] = []
    for start, end, following in _decided(history, now):
        if began is not None and end > began:
            break  # from here on it is the endpoint that is there now
        gone = [each for each in events.gone if start < each < following]
        start = min((each for each in events.made if start <= each < end), default=start)
        if gone:
            end = max(gone)
        elif end >= now:
            end = last_heard or start
        if end > start:
            found.append(Period(start, min(end, now)))
    return found if began is None else [*found, Period(began, now)]


def _decided(history: Sequence[Decision], now: datetime) -> list[tuple[datetime, datetime, datetime]]:
    """From when to when a model was to serve, and when after that one was to serve again (or now)."""
    spans: list[tuple[datetime, datetime]] = []
    start: datetime | None = None
    for each in history:
        if each.package != NO_CHAMPION and start is None:
            start = datetime.fromisoformat(each.written)
        elif each.package == NO_CHAMPION and start is not None:
            spans.append((start, datetime.fromisoformat(each.written)))
            start = None
    if start is not None:
        spans.append((start, now))
    following = [start for start, _ in spans[1:]] + [now]
    return [(*span, then) for span, then in zip(spans, following, strict=False)]


def _events(target: Target) -> Events:
    stack, cloudformation = target.stack("serving"), target.client("cloudformation")
    if describe(target, stack) is None:
        return Events()
    found: dict[str, list[datetime]] = {"CREATE_IN_PROGRESS": [], "DELETE_COMPLETE": []}
    for event in listed(cloudformation, "describe_stack_events", "StackEvents", StackName=stack):
        if event.get("ResourceType") == "AWS::SageMaker::Endpoint":
            found.get(event["ResourceStatus"], []).append(event["Timestamp"].astimezone(UTC))
    return Events(tuple(found["CREATE_IN_PROGRESS"]), tuple(found["DELETE_COMPLETE"]))


def deployed_fleet(target: Target) -> Fleet | None:
    """What the Serving stack's template says, also while there is no endpoint; None when it is not there."""
    if (described := describe(target, target.stack("serving"))) is None:
        return None
    for resource in template(target, "serving").get("Resources", {}).values():
        if resource["Type"] == "AWS::SageMaker::EndpointConfig":
            variant = resource["Properties"]["ProductionVariants"][0]
            least = int(variant.get("InitialInstanceCount", 0))
            instance = variant.get("InstanceType", "")
            if isinstance(instance, Mapping):  # a parameter of the stack, of which an output says the value
                instance = outputs_of(described).get("InstanceType", "")
            return Fleet(str(variant["VariantName"]), str(instance), least)
    return None


def _hourly(
    target: Target, fleet: Fleet, metric: str, start: datetime, end: datetime
) -> dict[datetime, float]:
    """A metric's sum of each hour, by the hour's beginning."""
    answer = target.client("cloudwatch").get_metric_statistics(
        Namespace="AWS/SageMaker",
        MetricName=metric,
        Dimensions=[
            {"Name": "EndpointName", "Value": target.project},
            {"Name": "VariantName", "Value": fleet.variant},
        ],
        StartTime=start,
        EndTime=end,
        Period=int(HOUR.total_seconds()),
        Statistics=["Sum"],
    )
    return {_hour(point["Timestamp"]): float(point["Sum"]) for point in answer["Datapoints"]}


def _counts(
    requests: Mapping[datetime, float], per_instance: Mapping[datetime, float], least: int
) -> dict[datetime, float]:
    """How many instances answered, by hour; only of hours with requests."""
    return {
        hour: max(least, requests[hour] / share)
        for hour, share in per_instance.items()
        if share > 0 and hour in requests
    }


def _instance_hours(period: Period, counts: Mapping[datetime, float], least: int) -> float:
    total, hour = 0.0, _hour(period.start)
    while hour < period.end:
        shared = min(period.end, hour + HOUR) - max(period.start, hour)
        total += shared / HOUR * counts.get(hour, least)
        hour += HOUR
    return total


def _hour(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
