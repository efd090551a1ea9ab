"""`classifier destroy`: say what goes, stop what runs, destroy the stacks, check what is left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import click

from cli import aws, stacks
from cli.commands.options import confirm, whereabouts, with_target, yes_option
from cli.console import console, say
from cli.deploy.bring_up import tear_down_stacks
from cli.deploy.cdk_output import Deployment
from cli.errors import CdkFailed
from cli.interrupt import Interrupted
from cli.runs import jobs
from cli.runs.jobs import LOG_GROUP
from cli.stacks import status_of
from cli.target import Target

STOP_SECONDS = 600  # SageMaker gives a job two minutes to save itself, and then uploads what it left


@click.command()
@with_target
@yes_option
def destroy(target: Target, yes: bool) -> None:
    """Remove every stack with its endpoint; the buckets and their pictures by the setting on_destroy."""
    with console().status("Looking at what there is"):
        found = look(target)
    if not found.stacks:
        say("Nothing is deployed: there is nothing to remove.")
        return
    say("\n".join(describe(target, found)))
    confirm("Remove all of it?", yes)
    try:
        remove(target, found)
    except KeyboardInterrupt:
        raise Interrupted(
            "Stopped. What CloudFormation had begun to remove goes on. To remove the rest: "
            f"{target.command('destroy')}; to deploy what is missing: {target.command('up')}; what there is: "
            f"{target.command('status')}"
        ) from None
    say(farewell(target, found))


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
    ours, running = f"{target.project}-", {"StatusEquals": "InProgress"}
    return Found(
        stacks=_left(target),
        buckets=tuple(_buckets(target)),
        tuning_jobs=tuple(jobs.named(target, jobs.Kind.TUNING, ours, **running)),
        training_jobs=tuple(jobs.named(target, jobs.Kind.TRAINING, ours, **running)),
        endpoint=aws.endpoint(target) is not None,
    )


def describe(target: Target, found: Found) -> list[str]:
    """What will go, one thing per line."""
    lines = [f"To be removed. {whereabouts(target)}", f"  stacks: {', '.join(found.stacks)}"]
    if found.endpoint:
        lines.append(f"  the endpoint {target.project}: pictures can no longer be classified")
    if running := (*found.tuning_jobs, *found.training_jobs):
        lines.append(f"  running jobs are stopped: {', '.join(running)}")
    for bucket in found.buckets:
        fate = "is kept, remove it by hand" if bucket.kept else "goes with all its versions"
        lines.append(f"  s3://{bucket.name}: {bucket.objects} objects; {fate}")
    return lines


def remove(target: Target, found: Found) -> None:
    """Stops the running jobs and destroys the stacks. Raises CdkFailed where something is left."""
    sagemaker = target.client("sagemaker")
    for name in found.tuning_jobs:
        _stop(sagemaker.stop_hyper_parameter_tuning_job, HyperParameterTuningJobName=name)
    for name in found.training_jobs:
        _stop(sagemaker.stop_training_job, TrainingJobName=name)
    _await_end(target, found)
    tear_down_stacks(target, LeftToDelete(target, found.buckets).told)
    with console().status("Removing the jobs' logs"):
        _forget_job_logs(target)
    if left := _left(target):
        raise CdkFailed(f"Still there: {', '.join(left)}. Run `{target.command('destroy')}` again.")
    target.outputs_path.unlink(missing_ok=True)


class LeftToDelete:
    """What is left in the buckets while the storage stack empties them, which may take long.

    S3 bills each thousand objects that are counted as a request: after a count that took long, the next one
    waits ten times as long.
    """

    def __init__(self, target: Target, buckets: Sequence[Bucket]) -> None:
        self._target = target
        self._buckets = [each for each in buckets if not each.kept]
        self._said, self._next = "", 0.0

    def told(self, deployment: Deployment) -> str:
        """In words; empty where nothing is, and before and after that stack's turn."""
        storage = deployment.stacks.get(self._target.stack("storage"))
        if storage is None or storage.state != "working":
            return ""
        if (begun := time.monotonic()) >= self._next:
            self._said = self._counted()
            self._next = time.monotonic() + 10 * (time.monotonic() - begun)
        return self._said

    def _counted(self) -> str:
        s3 = self._target.client("s3")
        left = [(bucket, _objects(s3, bucket.name)) for bucket in self._buckets]
        return ", ".join(
            f"s3://{bucket.name}: {count} of {bucket.objects} objects left" for bucket, count in left if count
        )


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
    sagemaker, waiting = target.client("sagemaker"), set(found.training_jobs)
    if waiting:
        say(f"Waiting for the end of {', '.join(sorted(waiting))}: SageMaker lets each save what it has.")
    for _ in target.polls(STOP_SECONDS):
        for name in sorted(waiting):
            status = sagemaker.describe_training_job(TrainingJobName=name)["TrainingJobStatus"]
            if status not in jobs.RUNNING:
                waiting.remove(name)
        if not waiting:
            return


def _left(target: Target) -> tuple[str, ...]:
    """The project's stacks that exist."""
    return tuple(name for name in target.stack_names if status_of(target, name))


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
    streams = aws.listed(logs, "describe_log_streams", "logStreams", logGroupName=LOG_GROUP, **chosen)
    return [each["logStreamName"] for each in streams]


def _stop(call: Any, **name: str) -> None:
    from botocore.exceptions import ClientError

    try:
        call(**name)
    except ClientError as error:  # it ended by itself meanwhile
        say(f"{next(iter(name.values()))}: {error.response['Error']['Message']}")


def _buckets(target: Target) -> list[Bucket]:
    made = stacks.resources(target, target.stack("storage")) or ()
    names = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in made
        if each["ResourceType"] == "AWS::S3::Bucket" and "PhysicalResourceId" in each
    }
    if not names:
        return []
    template, s3 = stacks.template(target, "storage")["Resources"], target.client("s3")
    return [
        Bucket(
            name,
            _objects(s3, name),
            template[logical_id].get("DeletionPolicy") != "Delete",
        )
        for logical_id, name in names.items()
    ]


def _objects(s3: Any, bucket: str) -> int:
    return sum(1 for _ in aws.objects(s3, bucket))
