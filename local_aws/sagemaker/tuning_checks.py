"""What AWS checks of a tuning job beyond the shape of the request, each refusal naming the member.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-how-it-works.html and its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.core.errors import ResourceLimitExceeded, ValidationException
from local_aws.sagemaker.ranges import Categorical, Space

Document = dict[str, Any]
TERMINAL = ("Completed", "Failed", "Stopped")
OBJECTIVE_HYPERPARAMETER = "_tuning_objective_metric"
# https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-limits.html
MAX_PARALLEL = 100
MAX_HYPERPARAMETERS = 100


def check(request: Mapping[str, Any]) -> None:
    """Raise ValidationException or ResourceLimitExceeded for the first thing that is wrong."""
    if request.get("TrainingJobDefinitions"):
        raise ValidationException(
            "TrainingJobDefinitions: the local AWS tunes one algorithm per job; give TrainingJobDefinition."
        )
    if request.get("Autotune"):
        raise ValidationException("Autotune: the local AWS does not choose ranges; give ParameterRanges.")
    definition = request.get("TrainingJobDefinition")
    if not definition:
        raise ValidationException("TrainingJobDefinition is required.")
    for member in ("HyperParameterRanges", "TuningObjective"):
        if definition.get(member):
            raise ValidationException(
                f"TrainingJobDefinition: {member} belongs to TrainingJobDefinitions; a single definition has "
                "its ranges and objective in HyperParameterTuningJobConfig."
            )
    config = request["HyperParameterTuningJobConfig"]
    _check_objective(config, definition)
    space = Space.parse(config.get("ParameterRanges", {}))
    _check_hyperparameters(space, definition.get("StaticHyperParameters", {}))
    _check_strategy(config, space)
    _check_limits(config)


def check_parents(request: Mapping[str, Any], parents: Mapping[str, Document | None]) -> None:
    """Raise ValidationException for a warm start that AWS would refuse.

    https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-warm-start.html
    """
    objective = request["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
    for name, parent in parents.items():
        where = f"WarmStartConfig: the parent {name}"
        if parent is None:
            raise ValidationException(f"{where} does not exist.")
        if parent["HyperParameterTuningJobStatus"] not in TERMINAL:
            raise ValidationException(
                f"{where} is {parent['HyperParameterTuningJobStatus']}; a parent must have ended."
            )
        theirs = parent["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
        if theirs != objective:
            raise ValidationException(
                f"{where} has the objective {theirs['Type']} {theirs['MetricName']}, this tuning job "
                f"{objective['Type']} {objective['MetricName']}; they must be the same."
            )
        if request["WarmStartConfig"]["WarmStartType"] == "IdenticalDataAndAlgorithm":
            _check_identical(request["TrainingJobDefinition"], parent["TrainingJobDefinition"], where)


def _check_objective(config: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    objective = config.get("HyperParameterTuningJobObjective")
    if not objective:
        raise ValidationException(
            "HyperParameterTuningJobConfig: HyperParameterTuningJobObjective is required."
        )
    defined = [metric["Name"] for metric in definition["AlgorithmSpecification"].get("MetricDefinitions", [])]
    if objective["MetricName"] not in defined:
        raise ValidationException(
            f"HyperParameterTuningJobObjective: the metric {objective['MetricName']} has no entry in the "
            "MetricDefinitions of the training job definition, which defines: "
            f"{', '.join(defined) or 'none'}."
        )


def _check_hyperparameters(space: Space, static: Mapping[str, str]) -> None:
    tuned = {entry.name for entry in space.ranges}
    both = tuned & static.keys()
    if both:
        raise ValidationException(
            f"The hyperparameter {min(both)} is both in StaticHyperParameters and in ParameterRanges."
        )
    if OBJECTIVE_HYPERPARAMETER in tuned | static.keys():
        raise ValidationException(f"The hyperparameter name {OBJECTIVE_HYPERPARAMETER} is reserved.")
    if len(tuned) + len(static) > MAX_HYPERPARAMETERS:
        raise ValidationException(
            f"{len(tuned) + len(static)} hyperparameters are given; a training job takes at most "
            f"{MAX_HYPERPARAMETERS}."
        )


def _check_strategy(config: Mapping[str, Any], space: Space) -> None:
    strategy = config["Strategy"]
    hyperband = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig")
    if strategy == "Hyperband":
        if config.get("TrainingJobEarlyStoppingType") == "Auto":
            raise ValidationException(
                "TrainingJobEarlyStoppingType Auto is not allowed with the strategy Hyperband, which stops "
                "training jobs itself; set it to Off."
            )
        low, high = (hyperband or {}).get("MinResource", 1), (hyperband or {}).get("MaxResource")
        if high is not None and low >= high:
            raise ValidationException(
                f"HyperbandStrategyConfig: MinResource {low} must be less than MaxResource {high}."
            )
    elif hyperband:
        raise ValidationException(f"HyperbandStrategyConfig is not allowed with the strategy {strategy}.")
    if strategy == "Grid":
        _check_grid(config, space)


def _check_grid(config: Mapping[str, Any], space: Space) -> None:
    for entry in space.ranges:
        if not isinstance(entry, Categorical):
            raise ValidationException(
                f"ParameterRanges: {entry.name} is not categorical; the strategy Grid allows only "
                "CategoricalParameterRanges."
            )
    jobs = config["ResourceLimits"].get("MaxNumberOfTrainingJobs")
    if jobs is not None and jobs != space.combinations:
        raise ValidationException(
            f"ResourceLimits: MaxNumberOfTrainingJobs is {jobs}, but the grid has {space.combinations} "
            "combinations; leave it out with the strategy Grid."
        )


def _check_limits(config: Mapping[str, Any]) -> None:
    limits = config["ResourceLimits"]
    if limits["MaxParallelTrainingJobs"] > MAX_PARALLEL:
        raise ResourceLimitExceeded(
            "The account-level service limit 'Maximum number of parallel training jobs per hyperparameter "
            f"tuning job' is {MAX_PARALLEL}; MaxParallelTrainingJobs is {limits['MaxParallelTrainingJobs']}."
        )
    bounded = "MaxNumberOfTrainingJobs" in limits or "MaxRuntimeInSeconds" in limits
    if not bounded and config["Strategy"] != "Grid":
        raise ValidationException(
            "ResourceLimits: one of MaxNumberOfTrainingJobs and MaxRuntimeInSeconds is required."
        )


def _check_identical(ours: Mapping[str, Any], theirs: Mapping[str, Any], where: str) -> None:
    if ours["AlgorithmSpecification"]["TrainingImage"] != theirs["AlgorithmSpecification"]["TrainingImage"]:
        raise ValidationException(
            f"{where} has another TrainingImage; use WarmStartType TransferLearning for that."
        )
    if ours.get("InputDataConfig") != theirs.get("InputDataConfig"):
        raise ValidationException(
            f"{where} has another InputDataConfig; use WarmStartType TransferLearning for that."
        )
