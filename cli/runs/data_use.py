"""Which runs still need a version of a data set: their jobs read its lists and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cli import aws
from cli.runs.jobs import RUNNING, Kind, named
from cli.runs.state import data_of
from cli.target import Target
from contract import names
from contract.jobs import trains

_FOLLOWS: Final = timedelta(hours=1)
"""After a search the last training is started; one that is not there by now is not coming."""


def users(target: Target, dataset: str) -> dict[str, str]:
    """The run that needs each version of a data set, by the version's name (`digits@3`).

    They are the jobs that run, of trainings, searches and the doctor, and a search that has ended and whose
    last training has not begun.
    """
    found: dict[str, str] = {}
    for run, version in _in_use(target):
        if version.partition("@")[0] == dataset:
            found.setdefault(version, run)
    return found


def _in_use(target: Target) -> Iterator[tuple[str, str]]:
    sagemaker, prefix = target.client("sagemaker"), f"{target.project}-"
    ended_after = datetime.now(UTC) - _FOLLOWS
    for status in RUNNING:
        for name in named(target, Kind.TRAINING, prefix, StatusEquals=status):
            job = aws.found(sagemaker.describe_training_job, TrainingJobName=name)
            if job is not None:
                told = job.get("HyperParameters", {})
                own = names.run_of(name) if trains(job) else name
                yield told.get("run", own), data_of(told)
        for name in named(target, Kind.TUNING, prefix, StatusEquals=status):
            yield from _of_search(sagemaker, name)
    for name in named(
        target, Kind.TUNING, prefix, StatusEquals="Completed", LastModifiedTimeAfter=ended_after
    ):
        if aws.found(sagemaker.describe_training_job, TrainingJobName=names.final_of(name)) is None:
            yield from _of_search(sagemaker, name)


def _of_search(sagemaker: Any, name: str) -> Iterator[tuple[str, str]]:
    job: Mapping[str, Any] | None = aws.found(
        sagemaker.describe_hyper_parameter_tuning_job, HyperParameterTuningJobName=name
    )
    if job is not None:
        yield name, data_of(job.get("TrainingJobDefinition", {}).get("StaticHyperParameters", {}))
