"""SageMaker's jobs: by name, a search with its trials, what became of those in words, where a log is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import Enum
from typing import Any

from cli import aws
from cli.target import Target
from contract import capacity, names

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
RUNNING = ("InProgress", "Stopping")
TRIAL_NAME = re.compile(r"-\d{3}-[0-9a-f]{8}\Z")
"""What SageMaker adds to a search's name for each of its trials."""


class Kind(Enum):
    """A kind of job: the operation that lists it, what a page calls the list, and its name in there."""

    TUNING = (
        "list_hyper_parameter_tuning_jobs",
        "HyperParameterTuningJobSummaries",
        "HyperParameterTuningJobName",
    )
    TRAINING = ("list_training_jobs", "TrainingJobSummaries", "TrainingJobName")


def named(target: Target, kind: Kind, prefix: str = "", **chosen: Any) -> list[str]:
    """The names of the jobs that begin with `prefix`."""
    operation, summaries, name = kind.value
    if prefix:
        chosen["NameContains"] = prefix
    found = aws.listed(target.client("sagemaker"), operation, summaries, **chosen)
    return [each[name] for each in found if each[name].startswith(prefix)]


def search_of(sagemaker: Any, name: str) -> tuple[dict[str, Any], list[dict[str, Any]]] | None:
    """A tuning job's description and its trials' summaries, the oldest first; None when there is none."""
    request = {"HyperParameterTuningJobName": name}
    job = aws.found(sagemaker.describe_hyper_parameter_tuning_job, **request)
    if job is None:
        return None
    operation = "list_training_jobs_for_hyper_parameter_tuning_job"
    order = {"SortBy": "CreationTime", "SortOrder": "Ascending"}
    return job, list(aws.listed(sagemaker, operation, "TrainingJobSummaries", **request, **order))


def newest_attempt(sagemaker: Any, name: str) -> dict[str, Any] | None:
    """A training job's description, or None when there is none.

    Where AWS had no instance for it, that of the job which followed on another type, if there is one.
    """
    newest: dict[str, Any] | None = None
    while (described := aws.found(sagemaker.describe_training_job, TrainingJobName=name)) is not None:
        newest = described
        if not capacity.left(described):
            break
        name = names.following(name)
    return newest


def counted(statuses: Iterable[str], planned: int) -> str:
    """`3 of 4 trials completed, 1 failed`; a trial that failed or was stopped is no completed one.

    Args:
        statuses: SageMaker's, one per trial that was started.
        planned: how many there are to be; 0 where the search has no such limit.
    """
    found = Counter(statuses)
    parts = [f"{found['Completed']} of {planned or found.total()} trials completed"]
    running = found["InProgress"] + found["Stopping"]
    rest = {"failed": found["Failed"], "stopped": found["Stopped"], "running": running}
    return ", ".join(parts + [f"{count} {word}" for word, count in rest.items() if count])


def logged(logs: Any, group: str, **chosen: Any) -> Iterator[dict[str, Any]]:
    """The events of a log group that are chosen, oldest first."""
    return aws.listed(logs, "filter_log_events", "events", logGroupName=group, **chosen)


def log_of(job: str) -> str:
    """Where a training job's log is, on AWS and on the local AWS alike."""
    return f"log group {LOG_GROUP}, streams {job}/"


def number(text: str) -> float | None:
    """A number that a job or a model carries as text; None where there is none."""
    try:
        return float(text)
    except ValueError:
        return None
