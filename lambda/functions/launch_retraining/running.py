"""Whether a run of the project is under way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contract.jobs import is_race, trains
from functions.common.clients import client, describe

_SEARCHES = (
    "list_hyper_parameter_tuning_jobs",
    "HyperParameterTuningJobSummaries",
    "HyperParameterTuningJobName",
)
_TRAININGS = ("list_training_jobs", "TrainingJobSummaries", "TrainingJobName")


def any_of(project: str) -> str:
    """A search, race or training that runs now, by its name; empty without any. Batches and the doctor's
    jobs are none.
    """
    for name in _named(project, *_SEARCHES):
        return name
    for name in _named(project, *_TRAININGS):
        job: dict[str, Any] = describe(client("sagemaker").describe_training_job, TrainingJobName=name) or {}
        if trains(job) or is_race(job):
            return name
    return ""


def _named(project: str, operation: str, summaries: str, key: str) -> Iterator[str]:
    pages = client("sagemaker").get_paginator(operation)
    for page in pages.paginate(NameContains=f"{project}-", StatusEquals="InProgress"):
        yield from (each[key] for each in page[summaries] if each[key].startswith(f"{project}-"))
