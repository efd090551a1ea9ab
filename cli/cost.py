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

from cli import champion, prices, serving_hours
from cli.serving_hours import Fleet, Period, Served, deployed_fleet
from cli.stacks import describe, outputs
from cli.target import Target
from contract.hyperparameters import unquoted

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
        return self.status in ("InProgress", "Stopping")


@dataclass(frozen=True)
class Endpoint:
    """What serves now."""

    instance: str
    count: int
    began: datetime
    usd_per_hour: float | None


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
            f"{_some(self.alarms, 'alarm')} and {_some(self.dashboards, 'dashboard')} are free among an "
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
        sleeper=_sleeper(target),
        stored_gb=_stored(target) / GB,
        watching=_watching(target),
    )


def lines(target: Target, cost: Cost) -> list[str]:
    """The look as lines to print."""
    table = f"on-demand prices of {prices.PRICES_REGION}, table of {prices.PRICES_DATE}"
    head = "Nothing is billed on this machine. On AWS this would be" if target.is_local else "This is"
    running = [job for job in cost.jobs if job.running]
    out = [f"{head} (at {table}):", ""]
    out.append(
        f"spent    {cost.spent_usd:10.2f} USD since {cost.month:%Y-%m-%d}: "
        f"{_some(len(cost.jobs), 'training job')} with {sum(job.seconds for job in cost.jobs) / 3600:.2f} "
        f"billed hours{_serving(cost.served)}"
    )
    out += [f"           {line}" for line in _estimated(cost)]
    out.append(f"running  {cost.hourly_usd:10.3f} USD an hour")
    if cost.endpoint:
        each = _usd(cost.endpoint.usd_per_hour)
        out.append(f"           endpoint: {cost.endpoint.count} × {cost.endpoint.instance}, {each} an hour")
    out += [f"           {job.name}: {job.instance}, {_usd(job.usd_per_hour)} an hour" for job in running]
    stored = cost.stored_gb * prices.S3_USD_PER_GB_MONTH
    out.append(
        f"idle     {0:10.3f} USD an hour when no job runs and the endpoint sleeps; {cost.stored_gb:.2f} GB "
        f"in S3 are {stored:.2f} USD a month; {cost.watching}"
    )
    if cost.sleeper:
        out.append(f"Version {cost.sleeper} sleeps: a picture or `classifier wake{target.option}` wakes it.")
    elif cost.endpoint:
        out.append(f"To take the endpoint away until it is needed: classifier sleep{target.option}")
    unknown = {job.instance for job in cost.jobs if job.usd is None}
    if cost.served and cost.served.usd is None:
        unknown.add(cost.served.fleet.instance)
    if unknown:
        out.append(f"The price table does not know {', '.join(sorted(unknown))}: those are left out.")
    return out


def _serving(served: Served | None) -> str:
    if served is None or not served.periods:
        return ", and no endpoint"
    if not served.fleet.instance:
        return f", and a serverless endpoint in {_some(len(served.periods), 'period')}"
    return (
        f", and {served.instance_hours:.2f} hours of {served.fleet.instance} for the endpoint in "
        f"{_some(len(served.periods), 'period')}"
    )


def _estimated(cost: Cost) -> list[str]:
    """What the endpoint's hours are worked out from, and what they leave out."""
    served = cost.served
    if served is None or not served.periods:
        return []
    since = (
        f"known since {served.known_since:%Y-%m-%d %H:%M} UTC; " if served.known_since > cost.month else ""
    )
    if not served.fleet.instance:
        return [f"({since}a serverless endpoint is billed by the milliseconds it answers: not in it)"]
    return [
        f"(the endpoint's hours are an estimate: {since}from the champion's decisions and the stack's "
        f"events, with as many instances as each hour's requests show, and {served.fleet.least} in hours "
        "without; a release's second fleet is not in it)"
    ]


def _jobs(target: Target, month: datetime, now: datetime) -> list[Job]:
    sagemaker = target.client("sagemaker")
    pages = sagemaker.get_paginator("list_training_jobs").paginate(
        NameContains=f"{target.project}-", CreationTimeAfter=month
    )
    names = [each["TrainingJobName"] for page in pages for each in page["TrainingJobSummaries"]]
    ours = [name for name in names if name.startswith(f"{target.project}-")]
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
    hourly = _as_set(job.get("HyperParameters", {})) or _times(count, instance, prices.TRAINING)
    disk = prices.volume_usd(machine.get("VolumeSizeInGB", 0), seconds * count / 3600)
    return Job(
        name=job["TrainingJobName"],
        status=job["TrainingJobStatus"],
        instance=f"{count} × {instance}",
        seconds=seconds * count,
        usd_per_hour=hourly,
        usd=None if hourly is None else seconds / 3600 * hourly + disk,
    )


def _as_set(hyperparameters: dict[str, str]) -> float | None:
    """The price by the hour of all instances that a last training was started with: its recipe may set it."""
    try:
        return float(unquoted(hyperparameters.get("hourly_usd", "")))
    except ValueError:
        return None


def _times(count: int, instance: str, kind: str) -> float | None:
    each = prices.hourly_or_none(instance, kind)
    return None if each is None else each * count


def _endpoint(target: Target) -> Endpoint | None:
    from botocore.exceptions import ClientError

    sagemaker = target.client("sagemaker")
    try:
        endpoint = sagemaker.describe_endpoint(EndpointName=target.project)
        config = sagemaker.describe_endpoint_config(EndpointConfigName=endpoint["EndpointConfigName"])
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationException":
            raise
        return None
    variant = config["ProductionVariants"][0]
    instance = variant.get("InstanceType", SERVERLESS)
    summaries = endpoint.get("ProductionVariants", [{}])
    count = summaries[0].get("CurrentInstanceCount", variant.get("InitialInstanceCount", 0))
    usd = _times(count, instance, prices.HOSTING) if count else 0.0
    return Endpoint(instance, count, endpoint["CreationTime"].astimezone(UTC), usd)


def of_serving(target: Target) -> str:
    """What the endpoint that the Serving stack makes is billed, in words to agree to."""
    fleet = deployed_fleet(target)
    until = "until it sleeps (`classifier sleep`, or by itself after serving.idle_minutes without a request)"
    if fleet is None or not fleet.instance:
        return f"The model is served, billed by what the Serving stack makes, {until}."
    each = _usd(prices.hourly_or_none(fleet.instance, prices.HOSTING))
    return (
        f"The model is served by {fleet.least} × {fleet.instance}, billed by the second at {each} an hour "
        f"each ({prices.PRICES_REGION}, table of {prices.PRICES_DATE}), {until}."
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
    pages = target.client("cloudformation").get_paginator("list_stack_resources")
    for name in ("storage", "training", "api", "monitoring"):
        if describe(target, target.stack(name)) is not None:
            for page in pages.paginate(StackName=target.stack(name)):
                counted.update(each["ResourceType"] for each in page["StackResourceSummaries"])
    return Watching(counted[ALARM], counted[DASHBOARD], counted[FIREWALL])


def _sleeper(target: Target) -> str:
    now = champion.read(target)
    return now.version if now.asleep else ""


def _stored(target: Target) -> int:
    """Bytes of the newest versions in both buckets."""
    if describe(target, target.stack("storage")) is None:
        return 0
    s3, found = target.client("s3"), outputs(target, "storage")
    total = 0
    for key in ("DataBucket", "ArtifactsBucket"):
        try:
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=found[key]):
                total += sum(each["Size"] for each in page.get("Contents", []))
        except s3.exceptions.NoSuchBucket:  # deleted past its stack: it holds nothing any more
            continue
    return total


def _some(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _usd(value: float | None) -> str:
    return "an unknown price" if value is None else f"{value:.3f} USD"
