"""The quotas of instances for training jobs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from local_aws.core.context import LocalAws
from local_aws.quotas import names
from local_aws.sagemaker import limits
from local_aws.sagemaker.training import capacity, job_state

_OVER = ("Completed", "Failed", "Stopped")


def check(aws: LocalAws, definition: Mapping[str, Any], together: int = 1) -> None:
    """ResourceLimitExceeded if so many jobs of a definition at a time are more than the account may have.

    A tuning job is refused for what its parallel trials need together: "... with current utilization of 0
    Instances and a request delta of 2 Instances", says CreateHyperParameterTuningJob.
    """
    spot = definition.get("EnableManagedSpotTraining", False)
    asked = _instances(definition)
    used: Counter[str] = Counter()
    for job in aws.store.list(job_state.KIND):
        if job["TrainingJobStatus"] not in _OVER and job.get("EnableManagedSpotTraining", False) == spot:
            used += _instances(job)
    each = names.ONE_SPOT_TRAINING if spot else names.ONE_TRAINING
    limits.check(aws, each, 0, asked.total())
    for instance_type, count in asked.items():
        limits.check(aws, names.training(instance_type, spot), used[instance_type], count * together)
    every = names.ALL_SPOT_TRAINING if spot else names.ALL_TRAINING
    limits.check(aws, every, used.total(), asked.total() * together)


def _instances(definition: Mapping[str, Any]) -> Counter[str]:
    groups = definition.get("ResourceConfig", {}).get("InstanceGroups") or capacity.configs(definition)[:1]
    counted: Counter[str] = Counter()
    for group in groups:
        if "InstanceType" in group:
            counted[group["InstanceType"]] += group.get("InstanceCount", 1)
    return counted
