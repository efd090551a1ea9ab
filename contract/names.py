"""Names that several rooms have to spell alike: of projects, data sets, recipes, jobs and functions."""

from __future__ import annotations

import re
from typing import Final

# No hyphen: with one, the prefix "demo-" of a project would match the jobs of a project "demo-two".
PROJECT: Final = re.compile(r"[a-z][a-z0-9]{1,11}")
PROJECT_IN_WORDS: Final = "2 to 12 lower-case letters and digits, a letter first"
# Also a tag's value and a folder's name: nothing that S3, tags or a log line would have to quote.
DATASET: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
RECIPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html
JOB: Final = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
TUNING_JOB_LENGTH: Final = 32
TRAINING_JOB_LENGTH: Final = 63
_FINAL: Final = "-final"

NO_CHAMPION: Final = "none"
"""The champion parameter's value while nothing is served."""
IMAGE_TARGET: Final = "image_target"
"""The key in a model package's metadata for what its image was built for: `cpu` or `gpu`."""


def final_training(run: str) -> str:
    """The one training job that follows a tuning job."""
    return f"{run}{_FINAL}"


def is_final_training(job: str) -> bool:
    """Whether a training job followed a tuning job."""
    return job.endswith(_FINAL)


def run_of(job: str) -> str:
    """The run that a training job belongs to, which has the name of its tuning job."""
    return job.removesuffix(_FINAL)


def stack(project: str, room: str) -> str:
    """A stack: `storage`, `training`, `serving`, `api` or `monitoring`."""
    return f"{project}-{room}"


def function(project: str, name: str) -> str:
    """A Lambda function, such as `launch-tuning`."""
    return f"{project}-{name}"


def champion_parameter(project: str) -> str:
    """The SSM parameter with the model package that is served."""
    return f"/{project}/champion"
