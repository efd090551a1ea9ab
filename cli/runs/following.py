"""A single job followed to its end: its log as it comes, what became of it, and how to come back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cli import aws
from cli.console import say
from cli.errors import BadArgument, CliError
from cli.interrupt import Interrupted
from cli.runs.jobs import LOG_GROUP, RUNNING, log_of, logged
from cli.target import Target

_WAITING: Final = ("Pending", "Starting")
"""Stages in which a job has no log yet, and AWS tells what it waits for: an instance, or other jobs."""


class NoSuchJob(BadArgument):
    """There is no job of that name, or it is of another kind."""


class JobFailed(CliError):
    """The job ended without having done what it was started for."""


@dataclass(frozen=True)
class Kind:
    """A kind of job, in the words of its messages."""

    what: str
    """After "it is no": `job of the doctor's`."""
    is_one: Callable[[Mapping[str, Any]], bool]
    """Told of DescribeTrainingJob's answer."""
    stages: Mapping[str, str]
    """What of SageMaker's statuses is worth a line; while it is `Training` the job's own log says more. While
    it waits AWS's own message is told too.
    """
    left: str
    """What one that did not complete leaves, as a sentence."""
    fetches: str
    """What a person comes back for: `what it finds`."""


def follow(target: Target, name: str, kind: Kind, again: str) -> Mapping[str, Any]:
    """Show how far a job is until it has completed; returns its description. On Ctrl-C it goes on.

    Args:
        again: the command that follows it and fetches what it made, for whoever has to come back.

    Raises:
        NoSuchJob: there is none, or it is of another kind.
        JobFailed: it failed or was stopped; the message says why.
    """
    try:
        job = _until_ended(target, name, kind)
    except KeyboardInterrupt:
        where = f"the local AWS on port {target.port}" if target.is_local else "AWS, billed until its end"
        stop = (
            ""
            if target.is_local
            else f" (or end it: aws sagemaker stop-training-job --training-job-name {name})"
        )
        raise Interrupted(
            f"Stopped watching. The job {name} goes on in {where}; fetch {kind.fetches} with `{again}`{stop}."
        ) from None
    status = job["TrainingJobStatus"]
    if status == "Failed":
        reason = job.get("FailureReason") or "AWS gives no reason"
        raise JobFailed(f"The job {name} failed: {reason}\nIts log: {log_of(name)}.")
    if status != "Completed":
        raise JobFailed(f"The job {name} {_why_stopped(job)}. {kind.left}")
    return job


def _why_stopped(job: Mapping[str, Any]) -> str:
    condition = job.get("StoppingCondition", {})
    match job.get("SecondaryStatus"):
        case "MaxRuntimeExceeded":
            longest = condition.get("MaxRuntimeInSeconds", 0) // 60
            return f"reached its longest run time, {longest} minutes; give it more with --max-minutes"
        case "MaxWaitTimeExceeded":
            longest = condition.get("MaxWaitTimeInSeconds", 0) // 60
            return f"waited for spot instances for longer than it may take, {longest} minutes in all"
        case _:
            return "was stopped"


def _until_ended(target: Target, name: str, kind: Kind) -> Mapping[str, Any]:
    sagemaker, log, told = target.client("sagemaker"), _Log(target, name), ""
    while True:
        job = aws.found(sagemaker.describe_training_job, TrainingJobName=name)
        if job is None:
            raise NoSuchJob(f"There is no job {name}.")
        if not kind.is_one(job):
            raise NoSuchJob(f"{name} is no {kind.what}; `{target.command('report')}` shows trainings.")
        if told != (told := _stage(job, kind)) and told:
            say(told)
        for line in log.news():
            say(line)
        if job["TrainingJobStatus"] not in RUNNING:
            return job  # type: ignore[no-any-return]
        time.sleep(target.poll_seconds)


def _stage(job: Mapping[str, Any], kind: Kind) -> str:
    """What there is to say of where a job is; nothing of a stage that is worth no line."""
    stage = job.get("SecondaryStatus", "")
    if stage not in kind.stages:
        return ""
    transitions = job.get("SecondaryStatusTransitions") or [{}]
    message = transitions[-1].get("StatusMessage", "") if stage in _WAITING else ""
    return f"{kind.stages[stage]} AWS says: {message}" if message else kind.stages[stage]


class _Log:
    """The lines of a job's log, each once."""

    def __init__(self, target: Target, job: str) -> None:
        self._logs, self._job = target.client("logs"), job
        self._since, self._shown = 0, set[str]()

    def news(self) -> Iterator[str]:
        """What has come since the last time; nothing before the job has a log."""
        chosen = {"logStreamNamePrefix": f"{self._job}/", "startTime": self._since}
        try:
            for event in list(logged(self._logs, LOG_GROUP, **chosen)):
                if event["eventId"] not in self._shown:
                    self._shown.add(event["eventId"])
                    self._since = max(self._since, event["timestamp"])
                    yield event["message"].rstrip()
        except self._logs.exceptions.ResourceNotFoundException:
            return
