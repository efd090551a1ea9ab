"""When a trial is stopped before its end, and when a whole tuning job has seen enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from statistics import fmean, median
from typing import Any

# AWS does not publish from how many jobs on the rule applies. With fewer the median is one job's luck.
MIN_FORMER_JOBS = 3
# The share of the best objective by which a better one has to differ to count as an improvement.
SIGNIFICANT = 0.01
# With fewer jobs since the last improvement no search has converged: Bayesian ones begin with ten guesses.
MIN_CONVERGED = 10


def falls_behind(values: Sequence[float], former: Iterable[Sequence[float]], maximize: bool) -> bool:
    """AWS's median rule, applied after the last of ``values``.

    The objective of this epoch is compared with the median of the running averages that former jobs of the
    tuning job had up to the same epoch:
    https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-early-stopping.html

    Args:
        values: the trial's objective after each epoch so far.
        former: the same of the jobs that have ended.
    """
    epoch = len(values)
    averages = [fmean(series[:epoch]) for series in former if len(series) >= epoch > 0]
    if len(averages) < MIN_FORMER_JOBS:
        return False
    return is_better(median(averages), values[-1], maximize)


def is_better(value: float, than: float, maximize: bool) -> bool:
    """Whether an objective is really better, not equal."""
    return value > than if maximize else value < than


def reached(criteria: Mapping[str, Any], objectives: Sequence[float], maximize: bool) -> bool:
    """Whether TuningJobCompletionCriteria say that the tuning job is complete.

    Args:
        objectives: final objectives in the order the training jobs ended.
    """
    target = criteria.get("TargetObjectiveMetricValue")
    if target is not None and any(not is_better(target, value, maximize) for value in objectives):
        return True
    patience = criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving")
    if patience is not None and not_improving(objectives, maximize) >= patience:
        return True
    asked = criteria.get("ConvergenceDetected", {}).get("CompleteOnConvergence") == "Enabled"
    return asked and converged_after(objectives, maximize) is not None


def not_improving(objectives: Sequence[float], maximize: bool) -> int:
    """How many training jobs have ended since one "improved model performance by 1% or greater over prior
    training jobs".

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_BestObjectiveNotImproving.html
    """
    if not objectives:
        return 0
    since, best = 0, objectives[0]
    for value in objectives[1:]:
        better = is_better(value, best, maximize)
        since = 0 if better and abs(value - best) >= SIGNIFICANT * abs(best) else since + 1
        best = value if better else best
    return since


def converged_after(objectives: Sequence[float], maximize: bool) -> int | None:
    """How many training jobs had ended when the search had converged; None when it has not.

    AWS calls it converged when an algorithm that is not published finds it "unlikely to improve more than 1%
    over the objective metric from the best training job"
    (https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-progress.html). Here it is when
    half of the jobs, `MIN_CONVERGED` at least, have ended since the last improvement of 1%.
    """
    for ended in range(1, len(objectives) + 1):
        if not_improving(objectives[:ended], maximize) >= max(MIN_CONVERGED, ended / 2):
            return ended
    return None


def completion_details(ended: Sequence[tuple[datetime, float]], maximize: bool) -> dict[str, Any]:
    """TuningJobCompletionDetails of jobs that ended at a time with an objective, in that order."""
    objectives = [value for _, value in ended]
    details: dict[str, Any] = {
        "NumberOfTrainingJobsObjectiveNotImproving": not_improving(objectives, maximize)
    }
    converged = converged_after(objectives, maximize)
    if converged is not None:
        details["ConvergenceDetectedTime"] = ended[converged - 1][0]
    return details
