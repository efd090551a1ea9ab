"""A tuning job and its trials, as AWS tells them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cli.chain_reader import NoSuchRun
from cli.target import Target
from cli.trials import counted
from contract.names import run_of

Value = float | str


@dataclass(frozen=True)
class Axis:
    """One searched hyperparameter: `low` and `high` for numbers, `choices` for categories."""

    name: str
    low: float = 0.0
    high: float = 0.0
    scale: str = "Linear"
    """SageMaker's word: Linear, Logarithmic, ReverseLogarithmic or Auto."""
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """One training job of the search. `objective` is None where it reported none."""

    name: str
    status: str
    values: dict[str, Value]
    objective: float | None
    seconds: float | None
    reason: str = ""

    @property
    def failed(self) -> bool:
        return self.status == "Failed"

    @property
    def measured(self) -> bool:
        """Whether its objective counts: what a trial reported before it failed does not."""
        return self.objective is not None and not self.failed


@dataclass(frozen=True)
class Search:
    """A tuning job. `trials` are in the order they were started."""

    name: str
    status: str
    strategy: str
    metric: str
    maximize: bool
    axes: tuple[Axis, ...]
    trials: tuple[Trial, ...]
    created: datetime
    ended: datetime | None
    parents: tuple[str, ...]

    @property
    def counted(self) -> str:
        """How many trials completed, failed, were stopped and run, in words."""
        return counted((trial.status for trial in self.trials), 0)

    @property
    def ranked(self) -> list[Trial]:
        """The trials with an objective that did not fail, the best first."""
        measured = [trial for trial in self.trials if trial.measured]
        return sorted(measured, key=lambda trial: trial.objective or 0.0, reverse=self.maximize)


def read(target: Target, name: str) -> Search:
    """The tuning job `name` (or that of the run `name`), and all its trials.

    Raises:
        NoSuchRun: there is none.
    """
    from botocore.exceptions import ClientError

    sagemaker = target.client("sagemaker")
    job_name = {"HyperParameterTuningJobName": run_of(name)}
    try:
        job = sagemaker.describe_hyper_parameter_tuning_job(**job_name)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("ValidationException", "ResourceNotFound"):
            raise
        raise NoSuchRun(
            f"There is no tuning job {name}. `classifier status{target.option}` shows the newest run; a "
            "training started by hand has none."
        ) from None
    pages = sagemaker.get_paginator("list_training_jobs_for_hyper_parameter_tuning_job").paginate(
        **job_name, SortBy="CreationTime", SortOrder="Ascending"
    )
    config = job["HyperParameterTuningJobConfig"]
    axes = _axes(config.get("ParameterRanges", {}))
    objective = config["HyperParameterTuningJobObjective"]
    warm = job.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
    return Search(
        name=job["HyperParameterTuningJobName"],
        status=job["HyperParameterTuningJobStatus"],
        strategy=config["Strategy"],
        metric=objective["MetricName"],
        maximize=objective["Type"] == "Maximize",
        axes=axes,
        trials=tuple(_trial(item, axes) for page in pages for item in page["TrainingJobSummaries"]),
        created=job["CreationTime"],
        ended=job.get("HyperParameterTuningEndTime"),
        parents=tuple(each["HyperParameterTuningJobName"] for each in warm),
    )


def _axes(ranges: dict[str, Any]) -> tuple[Axis, ...]:
    numeric = [*ranges.get("ContinuousParameterRanges", []), *ranges.get("IntegerParameterRanges", [])]
    return (
        *(
            Axis(
                each["Name"],
                float(each["MinValue"]),
                float(each["MaxValue"]),
                each.get("ScalingType", "Auto"),
            )
            for each in numeric
        ),
        *(
            Axis(each["Name"], choices=tuple(_plain(value) for value in each["Values"]))
            for each in ranges.get("CategoricalParameterRanges", [])
        ),
    )


def _trial(item: dict[str, Any], axes: tuple[Axis, ...]) -> Trial:
    told = item.get("TunedHyperParameters", {})
    start, end = item.get("TrainingStartTime"), item.get("TrainingEndTime")
    values: dict[str, Value] = {}
    for axis in axes:
        if axis.name in told:
            text = _plain(told[axis.name])
            values[axis.name] = text if axis.choices else float(text)
    return Trial(
        name=item["TrainingJobName"],
        status=item["TrainingJobStatus"],
        values=values,
        objective=item.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value"),
        seconds=(end - start).total_seconds() if start and end else None,
        reason=item.get("FailureReason", ""),
    )


def _plain(text: str) -> str:
    """A categorical value without the JSON quotes SageMaker may put around it."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        try:
            return str(json.loads(text))
        except ValueError:
            return text
    return text
