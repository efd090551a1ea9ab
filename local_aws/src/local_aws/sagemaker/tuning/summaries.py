"""What a tuning job says of its training jobs: their objectives, the best one, and their states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from local_aws.sagemaker.training.job_state import TERMINAL
from local_aws.sagemaker.tuning.early_stopping import is_better

Document = dict[str, Any]
# What a summary has of its job.
_SUMMARY = (
    "TrainingJobName",
    "TrainingJobArn",
    "CreationTime",
    "TrainingJobStatus",
    "TunedHyperParameters",
    "TrainingStartTime",
    "TrainingEndTime",
    "FailureReason",
)
# TrainingJobStatus to the counter it is counted in.
_COUNTERS = {"Completed": "Completed", "Failed": "NonRetryableError", "Stopped": "Stopped"}


def of(child: Document, tuning: Document) -> Document:
    """A child as a HyperParameterTrainingJobSummary."""
    objective = tuning["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    final = {metric["MetricName"]: metric["Value"] for metric in child.get("FinalMetricDataList", [])}
    value = final.get(objective["MetricName"])
    summary = {
        **{name: child[name] for name in _SUMMARY if name in child},
        "TuningJobName": tuning["HyperParameterTuningJobName"],
        "ObjectiveStatus": "Pending",
    }
    if child["TrainingJobStatus"] in TERMINAL:
        succeeded = value is not None and child["TrainingJobStatus"] != "Failed"
        summary["ObjectiveStatus"] = "Succeeded" if succeeded else "Failed"
        if succeeded:
            summary["_objective"] = value
            summary["FinalHyperParameterTuningJobObjectiveMetric"] = {
                "Type": objective["Type"],
                "MetricName": objective["MetricName"],
                "Value": value,
            }
    return summary


def best(family: Iterable[tuple[Document, Document]]) -> Document | None:
    """The summary with the best objective; None if no job has any."""
    best: Document | None = None
    for child, tuning in family:
        summary = of(child, tuning)
        objective = tuning["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
        maximize = objective["Type"] == "Maximize"
        if "_objective" in summary and (
            best is None or is_better(summary["_objective"], best["_objective"], maximize)
        ):
            best = summary
    return best


def counters(children: Sequence[Document], tuning: Document) -> Document:
    """How many training jobs are in which state, for DescribeHyperParameterTuningJob."""
    jobs = dict.fromkeys(("Completed", "InProgress", "RetryableError", "NonRetryableError", "Stopped"), 0)
    objectives = dict.fromkeys(("Succeeded", "Pending", "Failed"), 0)
    for child in children:
        jobs[_COUNTERS.get(child["TrainingJobStatus"], "InProgress")] += 1
        objectives[of(child, tuning)["ObjectiveStatus"]] += 1
    return {"TrainingJobStatusCounters": jobs, "ObjectiveStatusCounters": objectives}
