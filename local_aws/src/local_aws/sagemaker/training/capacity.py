"""The instance types that AWS has none of at the moment: none of them here, unless this variable names some.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_HyperParameterTuningResourceConfig.html
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

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
