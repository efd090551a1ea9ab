"""Taking everything away again: say what goes, stop what runs, destroy the stacks, check what is left."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from cli.bring_up import tear_down_stacks
from cli.console import say
from cli.errors import CdkFailed
from cli.stacks import status_of
from cli.target import Target
from cli.trials import LOG_GROUP

STOP_SECONDS = 600  # SageMaker gives a job two minutes to save itself, and then uploads what it left


@dataclass(frozen=True)
class Bucket:
    """A bucket of the storage stack; `kept` when its stack leaves it behind."""

    name: str
    objects: int
    kept: bool


@dataclass(frozen=True)
class Found:
    """What there is to remove: stacks, buckets, running jobs, and whether an endpoint is up."""

    stacks: tuple[str, ...]
    buckets: tuple[Bucket, ...]
    tuning_jobs: tuple[str, ...]
    training_jobs: tuple[str, ...]
    endpoint: bool


def look(target: Target) -> Found:
    """Everything of the project in the target."""
    sagemaker = target.client("sagemaker")
    ours = f"{target.project}-"
    running = {"NameContains": ours, "StatusEquals": "InProgress"}
    tunings = sagemaker.get_paginator("list_hyper_parameter_tuning_jobs").paginate(**running)
    trainings = sagemaker.get_paginator("list_training_jobs").paginate(**running)
    endpoints = sagemaker.get_paginator("list_endpoints").paginate(NameContains=target.project)
    tuning_names = [
        j["HyperParameterTuningJobName"] for p in tunings for j in p["HyperParameterTuningJobSummaries"]
    ]
    training_names = [j["TrainingJobName"] for p in trainings for j in p["TrainingJobSummaries"]]
    return Found(
        stacks=tuple(name for name in target.stack_names if status_of(target, name)),
        buckets=tuple(_buckets(target)),
        tuning_jobs=tuple(name for name in tuning_names if name.startswith(ours)),
        training_jobs=tuple(name for name in training_names if name.startswith(ours)),
        endpoint=any(e["EndpointName"] == target.project for p in endpoints for e in p["Endpoints"]),
    )


def describe(target: Target, found: Found) -> list[str]:
    """What will go, one thing per line."""
    where = f"the local AWS at {target.endpoint_url}" if target.is_local else f"account {target.account()}"
    lines = [f"From {where}:", f"  stacks: {', '.join(found.stacks)}"]
    if found.endpoint:
        lines.append(f"  the endpoint {target.project}: pictures can no longer be classified")
    if jobs := (*found.tuning_jobs, *found.training_jobs):
        lines.append(f"  running jobs are stopped: {', '.join(jobs)}")
    for bucket in found.buckets:
        fate = "is kept, remove it by hand" if bucket.kept else "goes with all its versions"
        lines.append(f"  s3://{bucket.name}: {bucket.objects} objects; {fate}")
    return lines


def remove(target: Target, found: Found) -> None:
    """Stops the running jobs and destroys the stacks.

    Raises:
        CdkFailed: something could not be removed.
    """
    sagemaker = target.client("sagemaker")
    for name in found.tuning_jobs:
        _stop(sagemaker.stop_hyper_parameter_tuning_job, HyperParameterTuningJobName=name)
    for name in found.training_jobs:
        _stop(sagemaker.stop_training_job, TrainingJobName=name)
    _await_end(target, found)
    tear_down_stacks(target)
    _forget_job_logs(target)
    left = [name for name in target.stack_names if status_of(target, name)]
    if left:
        raise CdkFailed(f"Still there: {', '.join(left)}. Run `classifier destroy{target.option}` again.")
    target.outputs_path.unlink(missing_ok=True)


def farewell(target: Target, found: Found) -> str:
    """What is left after a destroy."""
    kept = [f"s3://{bucket.name}" for bucket in found.buckets if bucket.kept]
    if kept:
        return (
            f'The stacks are removed. Kept, by "on_destroy": "keep" in cdk.json, and billed by the gigabyte: '
            f"{', '.join(kept)}. Remove one with `aws s3api delete-objects` and `delete-bucket`, or in the "
            "console."
        )
    if target.is_local:
        return "Everything is removed. The local AWS is still up and empty; `make down` stops it."
    return (
        "Everything is removed, nothing is billed any more. The CDK's own bootstrap stack (CDKToolkit) "
        "stays: other CDK apps of this account use it too."
    )


def _await_end(target: Target, found: Found) -> None:
    """Until the stopped jobs have ended: one that still writes would fill a bucket while it is deleted."""
    sagemaker, deadline = target.client("sagemaker"), time.monotonic() + STOP_SECONDS
    waiting = set(found.training_jobs)
    while waiting and time.monotonic() < deadline:
        for name in sorted(waiting):
            status = sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"]
            if status not in ("InProgress", "Stopping"):
                waiting.remove(name)
        if waiting:
            time.sleep(target.poll_seconds)


def _forget_job_logs(target: Target) -> None:
    """Remove the jobs' log streams, which SageMaker made in a group that no stack owns; the group with them
    if it holds no others.
    """
    logs = target.client("logs")
    try:
        ours = _streams(logs, logStreamNamePrefix=f"{target.project}-")
        for name in ours:
            logs.delete_log_stream(logGroupName=LOG_GROUP, logStreamName=name)
        if not _streams(logs):
            logs.delete_log_group(logGroupName=LOG_GROUP)
    except logs.exceptions.ResourceNotFoundException:
        return


def _streams(logs: Any, **chosen: str) -> list[str]:
    pages = logs.get_paginator("describe_log_streams").paginate(logGroupName=LOG_GROUP, **chosen)
    return [each["logStreamName"] for page in pages for each in page["logStreams"]]


def _stop(call: Any, **name: str) -> None:
    from botocore.exceptions import ClientError

    try:
        call(**name)
    except ClientError as error:  # it ended by itself meanwhile
        say(f"{next(iter(name.values()))}: {error.response['Error']['Message']}")


def _buckets(target: Target) -> list[Bucket]:
    if not status_of(target, target.stack("storage")):
        return []
    cloudformation, s3 = target.client("cloudformation"), target.client("s3")
    body = cloudformation.get_template(StackName=target.stack("storage"))["TemplateBody"]
    template = json.loads(body) if isinstance(body, str) else body
    resources = cloudformation.describe_stack_resources(StackName=target.stack("storage"))["StackResources"]
    found = []
    for resource in resources:
        if resource["ResourceType"] != "AWS::S3::Bucket" or "PhysicalResourceId" not in resource:
            continue
        name = resource["PhysicalResourceId"]
        kept = template["Resources"][resource["LogicalResourceId"]].get("DeletionPolicy") != "Delete"
        found.append(Bucket(name, _count(s3, name), kept))
    return found


def _count(s3: Any, bucket: str) -> int:
    from botocore.exceptions import ClientError

    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        return sum(int(page.get("KeyCount", 0)) for page in pages)
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchBucket":
            return 0
        raise
