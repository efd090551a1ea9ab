"""What a job is given and leaves: its package, its channels beside the splits, and its folder of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

PACKAGE: Final = "JOB_PACKAGE"
"""The job's environment variable with the package of the channel `code` that it runs.

The image does not hold this file, so training_code/entrypoint.py has this and the packages a second time.
"""
TRAINING_PACKAGE: Final = "training_code"
"""What a job runs that does not have the variable."""
DOCTOR_PACKAGE: Final = "doctor"
BATCH_PACKAGE: Final = "batch"
RACE_PACKAGE: Final = "training_code.race"

CODE: Final = "code"
"""The channel with the training code."""
PRETRAINED: Final = "pretrained"
"""The channel with starting weights, and what the hyperparameter `weights` says then."""
CHAMPION: Final = "champion"
"""The channel with the artifact of the model that serves."""

DATASET: Final = "dataset"
"""The channel with the lists of pictures of a data set's version (`contract.datasets.manifest`): the channels
of the splits hold the files that they name.
"""

DEBUG: Final = "debug"
"""Below the output: what debugging and profiling leave."""
TENSORS: Final = "tensors"
"""Below `DEBUG`: the saved tensors, which AWS's own rules read as well."""


def is_doctor(job: Mapping[str, Any]) -> bool:
    """Whether a job looks at pictures and trains nothing.

    Args:
        job: DescribeTrainingJob's answer.
    """
    return _package(job) == DOCTOR_PACKAGE


def is_batch(job: Mapping[str, Any]) -> bool:
    """Whether a job answers pictures with a model that there is.

    Args:
        job: DescribeTrainingJob's answer.
    """
    return _package(job) == BATCH_PACKAGE


def is_race(job: Mapping[str, Any]) -> bool:
    """Whether a job chooses a network.

    Args:
        job: DescribeTrainingJob's answer.
    """
    return _package(job) == RACE_PACKAGE


def trains(job: Mapping[str, Any]) -> bool:
    """Whether a job makes a model, which the pipeline goes on with.

    Args:
        job: DescribeTrainingJob's answer.
    """
    return _package(job) == TRAINING_PACKAGE


def _package(job: Mapping[str, Any]) -> str:
    return str(job.get("Environment", {}).get(PACKAGE) or TRAINING_PACKAGE)
