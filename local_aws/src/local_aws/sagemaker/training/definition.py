"""What AWS checks of a training job beyond the shape of the request, and what the local AWS cannot do.

Both CreateTrainingJob and the definition inside CreateHyperParameterTuningJob go through `check`. Whatever
is refused is named, so that nobody believes a setting took effect which did not.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from local_aws.core.errors import ResourceLimitExceeded, ValidationException
from local_aws.core.process import BASE
from local_aws.sagemaker.training import channels, metrics
from local_aws.sagemaker.training.hosts import MAX_HOSTS

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_StoppingCondition.html
DEFAULT_RUNTIME_SECONDS = 24 * 3600
# "If you use InstanceConfigs, do not provide values for" these.
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_HyperParameterTuningResourceConfig.html
_OF_ONE = ("InstanceType", "InstanceCount", "VolumeSizeInGB")
# Members that ask for a service of AWS which does not exist here.
_NOT_HERE = (
    ("DebugRuleConfigurations", "managed Debugger rules"),
    ("ProfilerRuleConfigurations", "managed Profiler rules"),
    ("TensorBoardOutputConfig", "managed TensorBoard output"),
)


def check(definition: Mapping[str, Any]) -> None:
    """Raise ValidationException or ResourceLimitExceeded for the first thing that cannot be run."""
    for member, what in _NOT_HERE:
        if definition.get(member):
            raise ValidationException(f"{member}: the local AWS has no {what}.")
    _check_algorithm(definition["AlgorithmSpecification"])
    for resources in _resources(definition):
        _check_resources(resources)
    _check_times(definition)
    inputs = definition.get("InputDataConfig", [])
    channels.check(inputs, definition["AlgorithmSpecification"]["TrainingInputMode"])
    modes = {channel.get("InputMode") for channel in inputs}
    if "Pipe" in {definition["AlgorithmSpecification"]["TrainingInputMode"], *modes}:
        raise ValidationException("TrainingInputMode Pipe: the local AWS knows File and FastFile.")
    checkpoint = definition.get("CheckpointConfig", {})
    if checkpoint:
        checkpoint_folder(checkpoint)


def checkpoint_folder(config: Mapping[str, Any]) -> PurePosixPath:
    """Where checkpoints lie below the base folder. Raises ValidationException for a path outside of it."""
    path = PurePosixPath(config.get("LocalPath", BASE / "checkpoints"))
    if not path.is_relative_to(BASE) or path == BASE or ".." in path.parts:
        raise ValidationException(
            f"CheckpointConfig: LocalPath {path} is not below {BASE}, where the local AWS can put it."
        )
    return path.relative_to(BASE)


def max_runtime(definition: Mapping[str, Any]) -> int:
    """Seconds a training job may run."""
    return int(definition.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", DEFAULT_RUNTIME_SECONDS))


def _check_algorithm(algorithm: Mapping[str, Any]) -> None:
    if "AlgorithmName" in algorithm:
        raise ValidationException(
            "AlgorithmSpecification: AlgorithmName names an algorithm of the marketplace, which the local "
            "AWS does not have; give a TrainingImage."
        )
    if not algorithm.get("TrainingImage"):
        raise ValidationException(
            "AlgorithmSpecification: one of TrainingImage and AlgorithmName is required."
        )
    metrics.check(algorithm.get("MetricDefinitions", []))


def _resources(definition: Mapping[str, Any]) -> list[Mapping[str, Any] | None]:
    """What a job may be on; a tuning job says it in one member or another."""
    several = definition.get("HyperParameterTuningResourceConfig")
    if several is None:
        return [definition.get("ResourceConfig")]
    both = [name for name in _OF_ONE if name in several]
    if several.get("InstanceConfigs") and both:
        raise ValidationException(
            f"HyperParameterTuningResourceConfig: {', '.join(both)} cannot be given with InstanceConfigs."
        )
    return [*several.get("InstanceConfigs", [])] or [several]


def _check_resources(resources: Mapping[str, Any] | None) -> None:
    if not resources or "InstanceType" not in resources:
        raise ValidationException("ResourceConfig: InstanceType and InstanceCount are required.")
    if resources.get("InstanceGroups"):
        raise ValidationException("ResourceConfig: the local AWS has no InstanceGroups; give InstanceCount.")
    if resources.get("InstanceCount", 1) > MAX_HOSTS:
        raise ResourceLimitExceeded(
            f"The account-level service limit '{resources['InstanceType']} for training job usage' is "
            f"{MAX_HOSTS} Instances, with a request delta of {resources['InstanceCount']} Instances: the "
            f"local AWS is one machine. Set InstanceCount to {MAX_HOSTS} at most."
        )


def _check_times(definition: Mapping[str, Any]) -> None:
    stopping = definition.get("StoppingCondition", {})
    wait = stopping.get("MaxWaitTimeInSeconds")
    if not definition.get("EnableManagedSpotTraining", False):
        if wait is not None:
            raise ValidationException(
                "StoppingCondition: MaxWaitTimeInSeconds is only allowed with EnableManagedSpotTraining."
            )
    elif wait is None or wait < max_runtime(definition):
        raise ValidationException(
            "StoppingCondition: with EnableManagedSpotTraining, MaxWaitTimeInSeconds is required and must be "
            f"at least MaxRuntimeInSeconds ({max_runtime(definition)})."
        )
