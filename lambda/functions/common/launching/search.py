"""From a recipe's [tuning] to what SageMaker is told of a search.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html
"""

from __future__ import annotations

from typing import Any

from functions.common.recipes.keys import WARM_START_TYPES
from functions.common.recipes.ranges import Range
from functions.common.recipes.recipe import Recipe, as_text
from functions.common.recipes.tuning import Tuning

Request = dict[str, Any]


def config(tuning: Tuning, recipe: Recipe) -> Request:
    """HyperParameterTuningJobConfig: how is searched, between what, and when it ends."""
    limits: Request = {"MaxParallelTrainingJobs": tuning.parallel_jobs}
    if tuning.strategy != "Grid":  # a grid's number of trials is SageMaker's to count
        limits["MaxNumberOfTrainingJobs"] = tuning.max_jobs
    if tuning.max_runtime_minutes is not None:
        limits["MaxRuntimeInSeconds"] = tuning.max_runtime_minutes * 60
    config: Request = {
        "Strategy": tuning.strategy,
        "HyperParameterTuningJobObjective": {
            "Type": tuning.direction.capitalize(),
            "MetricName": tuning.objective,
        },
        "ResourceLimits": limits,
        "ParameterRanges": _ranges(tuning.ranges),
        "TrainingJobEarlyStoppingType": tuning.early_stopping,
        "RandomSeed": recipe.hyperparameters.get("seed", 0),
    }
    completion = _completion(tuning)
    if completion:
        config["TuningJobCompletionCriteria"] = completion
    if tuning.strategy == "Hyperband":
        epochs = recipe.hyperparameters["epochs"]
        config["StrategyConfig"] = {"HyperbandStrategyConfig": {"MinResource": 1, "MaxResource": epochs}}
    return config


def warm_start(tuning: Tuning) -> Request:
    """The member that names the searches this one begins with; none for a search of its own."""
    if not tuning.warm_start:
        return {}
    return {
        "WarmStartConfig": {
            "ParentHyperParameterTuningJobs": [
                {"HyperParameterTuningJobName": name} for name in tuning.warm_start
            ],
            "WarmStartType": WARM_START_TYPES[tuning.warm_start_type],
        }
    }


def _completion(tuning: Tuning) -> Request:
    criteria: Request = {}
    if tuning.target is not None:
        criteria["TargetObjectiveMetricValue"] = tuning.target
    if tuning.stop_after_not_improving is not None:
        criteria["BestObjectiveNotImproving"] = {
            "MaxNumberOfTrainingJobsNotImproving": tuning.stop_after_not_improving
        }
    if tuning.stop_on_convergence:
        criteria["ConvergenceDetected"] = {"CompleteOnConvergence": "Enabled"}
    return criteria


def _ranges(ranges: tuple[Range, ...]) -> Request:
    numeric: dict[str, list[Request]] = {"integer": [], "continuous": []}
    for each in ranges:
        if each.type != "categorical":
            numeric[each.type].append(
                {
                    "Name": each.name,
                    "MinValue": as_text(each.low),
                    "MaxValue": as_text(each.high),
                    "ScalingType": each.scale,
                }
            )
    return {
        "IntegerParameterRanges": numeric["integer"],
        "ContinuousParameterRanges": numeric["continuous"],
        "CategoricalParameterRanges": [
            {"Name": each.name, "Values": [as_text(value) for value in each.values]}
            for each in ranges
            if each.type == "categorical"
        ],
    }
