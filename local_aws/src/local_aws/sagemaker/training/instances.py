"""Instances for training jobs: which there are at the moment, and how many the account may have.

AWS may have none of a type. Here it has all, unless a variable names those that it has not.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_HyperParameterTuningResourceConfig.html
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from typing import Any

from local_aws.core.context import LocalAws
from local_aws.quotas import book, names
from local_aws.sagemaker.training.job_state import JOBS, TERMINAL

VARIABLE = "LOCAL_AWS_NO_CAPACITY"
"""Instance types with commas between them."""
REASON = (
    "CapacityError: Unable to provision requested ML compute capacity. Please retry using a different ML "
    "instance type."
)
"""A failed job's reason: https://github.com/DIAGNijmegen/rse-grand-challenge/issues/2631"""


def has(instance_type: str) -> bool:
    """Whether there is an instance of this type to be had."""
    return instance_type not in os.environ.get(VARIABLE, "").split(",")


def configs(definition: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the jobs of a definition may be on, the first choice first; empty if it does not say."""
    several = definition.get("HyperParameterTuningResourceConfig", {})
    one = several if "InstanceType" in several else definition.get("ResourceConfig")
    return list(several.get("InstanceConfigs", [])) or ([one] if one else [])


def choose(definition: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a trial is on: the first that there is an instance of, or the first if there is none of any."""
    found = configs(definition)
    return next((each for each in found if has(each["InstanceType"])), found[0])


def check_quotas(aws: LocalAws, definition: Mapping[str, Any], together: int = 1) -> None:
    """ResourceLimitExceeded if so many jobs of a definition at a time are more than the account may have.

    A tuning job is refused for what its parallel trials need together: "... with current utilization of 0
    Instances and a request delta of 2 Instances", says CreateHyperParameterTuningJob.
    """
    spot = definition.get("EnableManagedSpotTraining", False)
    asked = _instances(definition)
    used: Counter[str] = Counter()
    for job in JOBS.all(aws):
        if job["TrainingJobStatus"] not in TERMINAL and job.get("EnableManagedSpotTraining", False) == spot:
            used += _instances(job)
    each = names.ONE_SPOT_TRAINING if spot else names.ONE_TRAINING
    book.check(aws.store, each, 0, asked.total())
    for instance_type, count in asked.items():
        book.check(aws.store, names.training(instance_type, spot), used[instance_type], count * together)
    every = names.ALL_SPOT_TRAINING if spot else names.ALL_TRAINING
    book.check(aws.store, every, used.total(), asked.total() * together)


def _instances(definition: Mapping[str, Any]) -> Counter[str]:
    groups = definition.get("ResourceConfig", {}).get("InstanceGroups") or configs(definition)[:1]
    counted: Counter[str] = Counter()
    for group in groups:
        if "InstanceType" in group:
            counted[group["InstanceType"]] += group.get("InstanceCount", 1)
    return counted
