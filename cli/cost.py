"""What this project has spent this month, spends now by the hour, and costs while nothing runs.

Worked out from what SageMaker says of the jobs and the endpoint, at the dated price table's on-demand prices:
a Cost Explorer request would be exact a day later, and is itself billed. Not in it: requests, logs, stored
container images, taxes and discounts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cli import champion, prices
from cli.stacks import describe, outputs
from cli.target import Target

S3_USD_PER_GB_MONTH = 0.023
"""S3 Standard, first 50 TB, us-east-1. Source: aws.amazon.com/s3/pricing."""
GB = 1e9


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
    hours: float
    """Since it was made, or since the month began."""
    usd_per_hour: float | None


@dataclass(frozen=True)
class Cost:
    """One look at everything that is billed."""

    month: datetime
    jobs: tuple[Job, ...]
    endpoint: Endpoint | None
    sleeper: str
    """The version that sleeps; empty when none does."""
    stored_gb: float

    @property
    def spent_usd(self) -> float:
        """On jobs this month, and on the endpoint that is there now; of endpoints that are gone nothing is
        known.
        """
        endpoint = self.endpoint
        serving = endpoint.hours * (endpoint.usd_per_hour or 0.0) if endpoint else 0.0
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
    return Cost(
        month=month,
        jobs=tuple(_jobs(target, month, now)),
        endpoint=_endpoint(target, month, now),
        sleeper=_sleeper(target),
        stored_gb=_stored(target) / GB,
    )


def lines(target: Target, cost: Cost) -> list[str]:
    """The look as lines to print."""
    table = f"on-demand prices of {prices.PRICES_REGION}, table of {prices.PRICES_DATE}"
    head = "Nothing is billed on this machine. On AWS this would be" if target.is_local else "This is"
    running = [job for job in cost.jobs if job.running]
    out = [f"{head} (at {table}):", ""]
    out.append(
        f"spent    {cost.spent_usd:10.2f} USD since {cost.month:%Y-%m-%d}: {len(cost.jobs)} training jobs "
        f"with {sum(job.seconds for job in cost.jobs) / 3600:.2f} billed hours, and the present endpoint"
    )
    out.append(f"running  {cost.hourly_usd:10.3f} USD an hour")
    if cost.endpoint:
        each = _usd(cost.endpoint.usd_per_hour)
        out.append(f"           endpoint: {cost.endpoint.count} × {cost.endpoint.instance}, {each} an hour")
    out += [f"           {job.name}: {job.instance}, {_usd(job.usd_per_hour)} an hour" for job in running]
    stored = cost.stored_gb * S3_USD_PER_GB_MONTH
    out.append(
        f"idle     {0:10.3f} USD an hour when no job runs and the endpoint sleeps; {cost.stored_gb:.2f} GB "
        f"in S3 are {stored:.2f} USD a month"
    )
    if cost.sleeper:
        out.append(f"Version {cost.sleeper} sleeps: a picture or `classifier wake{target.option}` wakes it.")
    elif cost.endpoint:
        out.append(f"To take the endpoint away until it is needed: classifier sleep{target.option}")
    unknown = sorted({job.instance for job in cost.jobs if job.usd is None})
    if unknown:
        out.append(f"The price table does not know {', '.join(unknown)}: those are left out.")
    return out


def _jobs(target: Target, month: datetime, now: datetime) -> list[Job]:
    sagemaker = target.client("sagemaker")
    pages = sagemaker.get_paginator("list_training_jobs").paginate(
        NameContains=f"{target.project}-", CreationTimeAfter=month
    )
    names = [each["TrainingJobName"] for page in pages for each in page["TrainingJobSummaries"]]
    ours = [name for name in names if name.startswith(f"{target.project}-")]
    return [_job(sagemaker.describe_training_job(TrainingJobName=name), now) for name in ours]


def _job(job: dict[str, Any], now: datetime) -> Job:
    machine = job["ResourceConfig"]
    instance, count = machine.get("InstanceType", "?"), machine.get("InstanceCount", 1)
    seconds = job.get("BillableTimeInSeconds")
    if seconds is None:
        began = job.get("TrainingStartTime")
        seconds = ((job.get("TrainingEndTime") or now) - began).total_seconds() if began else 0.0
    each = _hourly(instance, prices.TRAINING)
    hours = seconds * count / 3600
    disk = prices.volume_usd(machine.get("VolumeSizeInGB", 0), hours)
    return Job(
        name=job["TrainingJobName"],
        status=job["TrainingJobStatus"],
        instance=f"{count} × {instance}",
        seconds=seconds * count,
        usd_per_hour=None if each is None else each * count,
        usd=None if each is None else hours * each + disk,
    )


def _endpoint(target: Target, month: datetime, now: datetime) -> Endpoint | None:
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
    instance = variant.get("InstanceType", "serverless")
    summaries = endpoint.get("ProductionVariants", [{}])
    count = summaries[0].get("CurrentInstanceCount", variant.get("InitialInstanceCount", 0))
    each = _hourly(instance, prices.HOSTING) if count else 0.0
    hours = (now - max(endpoint["CreationTime"], month)).total_seconds() / 3600
    return Endpoint(instance, count, hours, None if each is None else each * count)


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


def _hourly(instance: str, kind: str) -> float | None:
    try:
        return prices.hourly_usd(instance, kind)
    except prices.UnknownPrice:
        return None


def _usd(value: float | None) -> str:
    return "an unknown price" if value is None else f"{value:.3f} USD"
