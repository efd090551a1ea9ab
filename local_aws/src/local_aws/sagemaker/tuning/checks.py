"""What AWS checks of a tuning job beyond the shape of the request, each refusal naming the member.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-how-it-works.html and its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local_aws.core.context import LocalAws
from local_aws.core.errors import ResourceLimitExceeded, ValidationException
from local_aws.quotas import book, names
from local_aws.sagemaker.training.job_state import TERMINAL
from local_aws.sagemaker.tuning.ranges import Categorical, Space

Document = dict[str, Any]
OBJECTIVE_HYPERPARAMETER = "_tuning_objective_metric"
# https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-limits.html
MAX_PARALLEL = 100
MAX_JOBS = 750
MAX_RANDOM_JOBS = 10_000
MAX_METRICS = 20
MAX_RUNTIME_SECONDS = 30 * 24 * 3600
MAX_HYPERPARAMETERS = 100
# https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-warm-start.html
MAX_CHANGED = 10


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
    static = definition.get("StaticHyperParameters", {})
    _check_hyperparameters(space, static)
    _check_strategy(config, space, static)
    _check_limits(config, space)


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
        _check_same_total(request, parent, where)
        if request["WarmStartConfig"]["WarmStartType"] == "IdenticalDataAndAlgorithm":
            _check_identical(request["TrainingJobDefinition"], parent["TrainingJobDefinition"], where)


def _check_objective(config: Mapping[str, Any], definition: Mapping[str, Any]) -> None:
    objective = config.get("HyperParameterTuningJobObjective")
    if not objective:
        raise ValidationException(
            "HyperParameterTuningJobConfig: HyperParameterTuningJobObjective is required."
        )
    defined = [metric["Name"] for metric in definition["AlgorithmSpecification"].get("MetricDefinitions", [])]
    if len(defined) > MAX_METRICS:
        raise ResourceLimitExceeded(
            f"The number of metrics defined per hyperparameter tuning job is {MAX_METRICS} at most; "
            f"MetricDefinitions has {len(defined)}."
        )
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


def _check_strategy(config: Mapping[str, Any], space: Space, static: Mapping[str, str]) -> None:
    strategy = config["Strategy"]
    hyperband = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig")
    if strategy == "Hyperband":
        if config.get("TrainingJobEarlyStoppingType") == "Auto":
            raise ValidationException(
                "TrainingJobEarlyStoppingType Auto is not allowed with the strategy Hyperband, which stops "
                "training jobs itself; set it to Off."
            )
        low, high = (hyperband or {}).get("MinResource", 1), (hyperband or {}).get("MaxResource")
        if high is None and "epochs" not in static:
            raise ValidationException(
                "HyperbandStrategyConfig: give MaxResource, or the static hyperparameter epochs."
            )
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


def _check_limits(config: Mapping[str, Any], space: Space) -> None:
    limits = config["ResourceLimits"]
    grid = config["Strategy"] == "Grid"
    jobs = space.combinations if grid else limits.get("MaxNumberOfTrainingJobs", 0)
    most = MAX_RANDOM_JOBS if config["Strategy"] == "Random" else MAX_JOBS
    if jobs > most:
        raise ResourceLimitExceeded(
            "The account-level service limit 'Maximum number of training jobs per hyperparameter tuning job' "
            f"is {most} for the strategy {config['Strategy']}; {jobs} are asked for."
        )
    if limits.get("MaxRuntimeInSeconds", 0) > MAX_RUNTIME_SECONDS:
        raise ValidationException(
            f"ResourceLimits: a tuning job runs for {MAX_RUNTIME_SECONDS} seconds (30 days) at most; "
            f"MaxRuntimeInSeconds is {limits['MaxRuntimeInSeconds']}."
        )
    if limits["MaxParallelTrainingJobs"] > MAX_PARALLEL:
        raise ResourceLimitExceeded(
            f"The account-level service limit '{names.PARALLEL_TRIALS}' is {MAX_PARALLEL} at most; "
            f"MaxParallelTrainingJobs is {limits['MaxParallelTrainingJobs']}."
        )
    bounded = "MaxNumberOfTrainingJobs" in limits or "MaxRuntimeInSeconds" in limits
    if not bounded and not grid:
        raise ValidationException(
            "ResourceLimits: one of MaxNumberOfTrainingJobs and MaxRuntimeInSeconds is required."
        )


def _check_identical(ours: Mapping[str, Any], theirs: Mapping[str, Any], where: str) -> None:
    image = "TrainingImage"
    pairs = {
        image: (ours["AlgorithmSpecification"][image], theirs["AlgorithmSpecification"][image]),
        "InputDataConfig": (ours.get("InputDataConfig"), theirs.get("InputDataConfig")),
    }
    for member, (mine, other) in pairs.items():
        if mine != other:
            raise ValidationException(
                f"{where} has another {member}; use WarmStartType TransferLearning for that."
            )


def _check_same_total(ours: Mapping[str, Any], theirs: Mapping[str, Any], where: str) -> None:
    """As many hyperparameters, static and tunable together, as the parent; few of them another's."""
    present, before = _hyperparameters(ours), _hyperparameters(theirs)
    if len(present) != len(before):
        raise ValidationException(
            f"{where} has {len(before)} hyperparameters, static and tunable, this tuning job {len(present)}; "
            "the total must be the same."
        )
    changed = sum(before.get(name) != kind for name, kind in present.items())
    if changed > MAX_CHANGED:
        raise ValidationException(
            f"{where}: {changed} hyperparameters were made static or tunable since; {MAX_CHANGED} can be."
        )


def _hyperparameters(request: Mapping[str, Any]) -> dict[str, str]:
    """Name of each hyperparameter, and whether it is static or tunable."""
    ranges = request["HyperParameterTuningJobConfig"].get("ParameterRanges", {})
    static = request["TrainingJobDefinition"].get("StaticHyperParameters", {})
    tunable = {entry["Name"]: "tunable" for entries in ranges.values() for entry in entries}
    return {**dict.fromkeys(static, "static"), **tunable}


def check_trials(aws: LocalAws, parallel: int) -> None:
    """ResourceLimitExceeded if a search may not have so many trials at a time.

    10 by default, and 100 at most:
    https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-limits.html
    """
    most = int(book.value(aws.store, names.SAGEMAKER, names.PARALLEL_TRIALS))
    if parallel > most:
        raise ResourceLimitExceeded(
            f"The account-level service limit '{names.PARALLEL_TRIALS}' is {most}; MaxParallelTrainingJobs "
            f"is {parallel}. Please use AWS Service Quotas to request an increase for this quota."
        )
