"""When a trial is stopped before its end, and when a whole tuning job has seen enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean, median
from typing import Any

# AWS does not publish from how many jobs on the rule applies. With fewer the median is one job's luck.
MIN_FORMER_JOBS = 3


def falls_behind(values: Sequence[float], former: Iterable[Sequence[float]], maximize: bool) -> bool:
    """AWS's median rule, applied after the last of ``values``.

    The objective of this epoch is compared with the median of the running averages that former jobs of the
    tuning job had up to the same epoch:
    https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-early-stopping.html

    Parameters
    ----------
    values : the trial's objective after each epoch so far.
    former : the same of the jobs that have ended.
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

    Parameters
    ----------
    objectives : final objectives in the order the training jobs ended.
    """
    target = criteria.get("TargetObjectiveMetricValue")
    if target is not None and any(not is_better(target, value, maximize) for value in objectives):
        return True
    patience = criteria.get("BestObjectiveNotImproving", {}).get("MaxNumberOfTrainingJobsNotImproving")
    return patience is not None and not_improving(objectives, maximize) >= patience


def not_improving(objectives: Sequence[float], maximize: bool) -> int:
    """How many training jobs have ended since the best one."""
    if not objectives:
        return 0
    best = max(objectives) if maximize else min(objectives)
    return len(objectives) - 1 - list(objectives).index(best)
