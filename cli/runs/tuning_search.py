"""The record of a tuning job and its trials, from what AWS tells of them."""

from __future__ import annotations

from typing import Any

from cli.runs.jobs import counted, log_of, search_of
from cli.runs.reader import NoSuchRun
from cli.target import Target
from contract import names
from contract.hyperparameters import unquoted
from reports.search.record import Axis, Search, Trial, Value


def read(target: Target, name: str) -> Search:
    """The tuning job `name` (or that of the run `name`) with its trials. Raises NoSuchRun without one."""
    found = search_of(target.client("sagemaker"), names.run_of(name))
    if found is None:
        raise NoSuchRun(
            f"There is no tuning job {name}. `{target.command('status')}` shows the newest run; a "
            "training started by hand has none."
        )
    job, items = found
    config = job["HyperParameterTuningJobConfig"]
    axes = _axes(config.get("ParameterRanges", {}))
    objective = config["HyperParameterTuningJobObjective"]
    warm = job.get("WarmStartConfig", {}).get("ParentHyperParameterTuningJobs", [])
    trials = tuple(_trial(item, axes) for item in items)
    ended = job.get("HyperParameterTuningEndTime")
    return Search(
        name=job["HyperParameterTuningJobName"],
        status=job["HyperParameterTuningJobStatus"],
        strategy=config["Strategy"],
        metric=objective["MetricName"],
        maximize=objective["Type"] == "Maximize",
        axes=axes,
        trials=trials,
        counted=counted((trial.status for trial in trials), 0),
        seconds=(ended - job["CreationTime"]).total_seconds() if ended else None,
        parents=tuple(each["HyperParameterTuningJobName"] for each in warm),
    )


def _axes(ranges: dict[str, Any]) -> tuple[Axis, ...]:
    numeric = [
        *((each, False) for each in ranges.get("ContinuousParameterRanges", [])),
        *((each, True) for each in ranges.get("IntegerParameterRanges", [])),
    ]
    return (
        *(
            Axis(
                each["Name"],
                float(each["MinValue"]),
                float(each["MaxValue"]),
                each.get("ScalingType", "Auto"),
                whole=whole,
            )
            for each, whole in numeric
        ),
        *(
            Axis(each["Name"], choices=tuple(unquoted(value) for value in each["Values"]))
            for each in ranges.get("CategoricalParameterRanges", [])
        ),
    )


def _trial(item: dict[str, Any], axes: tuple[Axis, ...]) -> Trial:
    tuned = item.get("TunedHyperParameters", {})
    start, end = item.get("TrainingStartTime"), item.get("TrainingEndTime")
    values: dict[str, Value] = {}
    for axis in axes:
        if axis.name in tuned:
            text = unquoted(tuned[axis.name])
            values[axis.name] = text if axis.choices else float(text)
    return Trial(
        name=item["TrainingJobName"],
        status=item["TrainingJobStatus"],
        values=values,
        objective=item.get("FinalHyperParameterTuningJobObjectiveMetric", {}).get("Value"),
        seconds=(end - start).total_seconds() if start and end else None,
        reason=item.get("FailureReason", ""),
        log=log_of(item["TrainingJobName"]),
    )
