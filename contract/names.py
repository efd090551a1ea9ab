"""Names that several rooms have to spell alike: of projects, data sets, recipes, jobs and functions."""

from __future__ import annotations

import re
from typing import Final

# No hyphen: with one, the prefix "demo-" of a project would match the jobs of a project "demo-two".
PROJECT: Final = re.compile(r"[a-z][a-z0-9]{1,11}")
PROJECT_IN_WORDS: Final = "2 to 12 lower-case letters and digits, a letter first"
# Also a tag's value and a folder's name: nothing that S3, tags or a log line would have to quote.
# `datasets` is the folder of all versions.
_DATASET: Final = r"(?!datasets(?![A-Za-z0-9._-]))[A-Za-z0-9][A-Za-z0-9._-]{0,62}"
DATASET: Final = re.compile(_DATASET)
DATASET_VERSION: Final = re.compile(rf"(?P<dataset>{_DATASET})(@(?P<number>[1-9][0-9]{{0,8}}))?")
"""A data set at its newest version, or `<name>@<number>`: at that one."""
RECIPE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")

# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html
JOB: Final = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
TUNING_JOB_LENGTH: Final = 32
_FINAL: Final = "-final"
_RACE: Final = "-race"
_AGAIN: Final = "-type-"
_FOLLOWING: Final = re.compile(rf"(?P<first>.+){_AGAIN}(?P<number>[2-9])")
TRAINING_JOB_LENGTH: Final = 63 - len(_AGAIN) - 1
"""SageMaker takes 63 characters; the rest is for a job that follows on another instance type."""

NO_CHAMPION: Final = "none"
"""The champion parameter's value while nothing is served."""
IMAGE_TARGET: Final = "image_target"
"""The key in a model package's metadata for what its image was built for: `cpu` or `gpu`."""
GATE_OUTCOME: Final = "outcome"
"""The key there for what the quality gate decided, an `Outcome` of contract/decisions.py."""
CLASSES_DIGEST: Final = "classes_sha256"
"""The key there for the digest of its classes, names and order."""


def final_of(tuning_job: str) -> str:
    """The one training job that follows a tuning job."""
    return f"{tuning_job}{_FINAL}"


def race_of(run: str) -> str:
    """The job that chooses the network before a run's search."""
    return f"{run}{_RACE}"


def race_jobs(project: str) -> str:
    """What the names of those jobs look like; `*` stands for anything."""
    return f"{project}-*{_RACE}*"


def following(training_job: str) -> str:
    """The job that takes a job's place on another instance type: `<first>-type-2`, `-type-3`."""
    found = _FOLLOWING.fullmatch(training_job)
    number = int(found["number"]) if found else 1
    return f"{first_of(training_job)}{_AGAIN}{number + 1}"


def first_of(training_job: str) -> str:
    """The job that was started first for this one's work."""
    found = _FOLLOWING.fullmatch(training_job)
    return found["first"] if found else training_job


def run_of(job: str) -> str:
    """The run that a job belongs to: it has the name of its first job."""
    return first_of(job).removesuffix(_FINAL).removesuffix(_RACE)


def doctor_jobs(project: str) -> str:
    """What the name of each of the doctor's jobs begins with; a run's may too."""
    return f"{project}-doctor-"


def batch_jobs(project: str) -> str:
    """What the name of each job that answers pictures in one go begins with; a run's may too."""
    return f"{project}-batch-"


def stack(project: str, room: str) -> str:
    """A stack: `storage`, `training`, `serving`, `api` or `monitoring`."""
    return f"{project}-{room}"


def function(project: str, name: str) -> str:
    """A Lambda function, such as `launch-tuning`."""
    return f"{project}-{name}"


def log_of(function: str) -> str:
    """The log group of a Lambda function, or with a part of its name what the groups' names begin with."""
    return f"/aws/lambda/{function}"


def version_of(package: str) -> str:
    """The version in a model package's ARN."""
    return package.rpartition("/")[2]


def champion_parameter(project: str) -> str:
    """The SSM parameter with the model package that is served."""
    return f"/{project}/champion"


def candidate_parameter(project: str) -> str:
    """The SSM parameter with the model package that answers a copy of the traffic."""
    return f"/{project}/candidate"
