"""What this project has spent this month, spends now by the hour, and costs while nothing runs.

Worked out from what AWS says of the jobs, the champion and the stacks, at the dated price table's on-demand
prices: a Cost Explorer request would be exact a day later, and is itself billed. Not in it: requests, logs,
stored container images, taxes and discounts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cli import aws
from cli.cost import serving_hours
from cli.cost.prices import hourly_or_none
from cli.cost.serving_hours import Fleet, Period, Served, deployed_fleet
from cli.release import champion
from cli.runs import jobs
from cli.stacks import describe, outputs, outputs_of, resources
from cli.target import Target
from contract import prices
from contract.hyperparameters import unquoted
from contract.names import version_of

GB = 1e9
SERVERLESS = "serverless"
ALARM, DASHBOARD, FIREWALL = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::WAFv2::WebACL"


@dataclass(frozen=True)
class Job:
    """A training job or trial of this month: billed seconds of all its instances, and USD if known."""

    name: str
    status: str
    instance: str
    seconds: float
    usd_per_hour: float | None
    usd: float | None

    @property
    def running(self) -> bool:
        return self.status in jobs.RUNNING


@dataclass(frozen=True)
class Endpoint:
    """What serves now."""

    instance: str
    count: int
    began: datetime
    usd_per_hour: float | None
    """Of all of them, shadows included."""
    shadows: int = 0
    """So many instances more, of a candidate that is compared with the champion."""


@dataclass(frozen=True)
class Watching:
    """What the stacks have that is billed by the month, used or not, where an account has more than the free
    number of them. Parameters, API keys, rules of EventBridge and the keys that AWS manages cost nothing.
    """

    alarms: int = 0
    dashboards: int = 0
    firewalls: int = 0

    @property
    def most_usd(self) -> float:
        """A month's alarms and dashboards, in an account whose free ones are used up."""
        return self.alarms * prices.ALARM_USD_PER_MONTH + self.dashboards * prices.DASHBOARD_USD_PER_MONTH

    def __str__(self) -> str:
        text = (
            f"{some(self.alarms, 'alarm')} and {some(self.dashboards, 'dashboard')} are free among an "
            f"account's first {prices.FREE_ALARMS} and {prices.FREE_DASHBOARDS}, else {self.most_usd:.2f} "
            "USD a month"
        )
        if self.firewalls:
            usd = self.firewalls * prices.FIREWALL_USD_PER_MONTH
            rule = prices.FIREWALL_RULE_USD_PER_MONTH
            text += f"; the firewall is {usd:.2f} USD a month and {rule:.2f} for each of its rules"
        return text


@dataclass(frozen=True)
class Cost:
    """One look at everything that is billed."""

    month: datetime
    jobs: tuple[Job, ...]
    endpoint: Endpoint | None
    served: Served | None
    sleeper: str
    """The version that sleeps; empty when none does."""
    stored_gb: float
    watching: Watching = Watching()

    @property
    def spent_usd(self) -> float:
        """On jobs this month, and on every endpoint that there was, as far as prices are known."""
        serving = (self.served.usd or 0.0) if self.served else 0.0
        return sum(job.usd or 0.0 for job in self.jobs) + serving

    @property
    def hourly_usd(self) -> float:
        """What each further hour costs as things are."""
        endpoint = (self.endpoint.usd_per_hour or 0.0) if self.endpoint else 0.0
        return endpoint + sum(job.usd_per_hour or 0.0 for job in self.jobs if job.running)


def look(target: Target) -> Cost:
    """Everything of the project that is billed, now."""
    now = datetime.now(UTC)
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    endpoint = _endpoint(target)
    served = serving_hours.look(target, endpoint.began if endpoint else None, month, now)
    return Cost(
        month=month,
        jobs=tuple(_jobs(target, month, now)),
        endpoint=endpoint,
        served=served or (_present(endpoint, month, now) if endpoint else None),
        sleeper=version_of(champion.read(target).asleep),
        stored_gb=_stored(target) / GB,
        watching=_watching(target),
    )


def _jobs(target: Target, month: datetime, now: datetime) -> list[Job]:
    sagemaker = target.client("sagemaker")
    ours = jobs.named(target, jobs.Kind.TRAINING, f"{target.project}-", CreationTimeAfter=month)
    return [of_job(sagemaker.describe_training_job(TrainingJobName=name), now) for name in ours]


def of_job(job: dict[str, Any], now: datetime) -> Job:
    """What a training job is billed, from its description.

    The billable seconds are of one instance, each of which is billed for them. Source:
    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeTrainingJob.html
    """
    machine = job["ResourceConfig"]
    instance, count = machine.get("InstanceType", "?"), machine.get("InstanceCount", 1)
    seconds = job.get("BillableTimeInSeconds")
    if seconds is None:
        began = job.get("TrainingStartTime")
        seconds = ((job.get("TrainingEndTime") or now) - began).total_seconds() if began else 0.0
    # A last training's recipe may set the price by the hour of all its instances.
    as_set = jobs.number(unquoted(job.get("HyperParameters", {}).get("hourly_usd", "")))
    hourly = as_set or _times(count, instance, prices.TRAINING)
    disk = prices.volume_usd(machine.get("VolumeSizeInGB", 0), seconds * count / 3600)
    return Job(
        name=job["TrainingJobName"],
        status=job["TrainingJobStatus"],
        instance=f"{count} × {instance}",
        seconds=seconds * count,
        usd_per_hour=hourly,
        usd=None if hourly is None else seconds / 3600 * hourly + disk,
    )


def _times(count: int, instance: str, kind: str) -> float | None:
    each = hourly_or_none(instance, kind)
    return None if each is None else each * count


def _endpoint(target: Target) -> Endpoint | None:
    if (endpoint := aws.endpoint(target)) is None:
        return None
    describe_config = target.client("sagemaker").describe_endpoint_config
    config = aws.found(describe_config, EndpointConfigName=endpoint["EndpointConfigName"])
    if config is None:
        return None
    variant = config["ProductionVariants"][0]
    instance = variant.get("InstanceType", SERVERLESS)
    summaries = endpoint.get("ProductionVariants", [{}])
    count = summaries[0].get("CurrentInstanceCount", variant.get("InitialInstanceCount", 0))
    # A candidate that is compared runs on the champion's instance type.
    shadows = sum(
        each.get("CurrentInstanceCount", 0) for each in endpoint.get("ShadowProductionVariants", ())
    )
    usd = _times(count + shadows, instance, prices.HOSTING) if count else 0.0
    return Endpoint(instance, count, endpoint["CreationTime"].astimezone(UTC), usd, shadows)


def of_serving(target: Target) -> str:
    """What the endpoint that the Serving stack makes is billed, in words to agree to."""
    fleet = deployed_fleet(target)
    sleep = target.command("sleep")
    until = f"until it sleeps (`{sleep}`, or by itself after serving.idle_minutes without a request)"
    if fleet is None or not fleet.instance:
        return f"The model is served, billed by what the Serving stack makes, {until}."
    each = usd_text(hourly_or_none(fleet.instance, prices.HOSTING))
    compared = outputs_of(describe(target, target.stack("serving")) or {}).get("ComparisonCost", "")
    return (
        f"The model is served by {fleet.least} × {fleet.instance}, billed by the second at {each} an hour "
        f"each ({prices.PRICES_REGION}, table of {prices.PRICES_DATE}), {until}. {compared}".rstrip()
    )


def _present(endpoint: Endpoint, month: datetime, now: datetime) -> Served:
    """Of the endpoint that is there alone, where neither the champion nor the stack tell of any."""
    period = Period(max(endpoint.began, month), now)
    hours = (period.end - period.start).total_seconds() / 3600
    usd = None if endpoint.usd_per_hour is None else endpoint.usd_per_hour * hours
    fleet = Fleet("", "" if endpoint.instance == SERVERLESS else endpoint.instance, endpoint.count)
    return Served(fleet, (period,), hours * endpoint.count, usd, period.start)


def _watching(target: Target) -> Watching:
    """Counted in the stacks as they are deployed, without what comes and goes with the endpoint."""
    counted: Counter[str] = Counter()
    for name in ("storage", "training", "api", "monitoring"):
        counted.update(each["ResourceType"] for each in resources(target, target.stack(name)) or ())
    return Watching(counted[ALARM], counted[DASHBOARD], counted[FIREWALL])


def _stored(target: Target) -> int:
    """Bytes of the newest versions in both buckets."""
    if describe(target, target.stack("storage")) is None:
        return 0
    s3, found = target.client("s3"), outputs(target, "storage")
    buckets = (found["DataBucket"], found["ArtifactsBucket"])
    return sum(each["Size"] for bucket in buckets for each in aws.objects(s3, bucket))


def some(count: int, what: str) -> str:
    """`1 alarm`, `2 alarms`."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def usd_text(value: float | None) -> str:
    """USD by the hour, which may not be known."""
    return "an unknown price" if value is None else f"{value:.3f} USD"
