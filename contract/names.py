"""Names of jobs. A tuning job's name has 32 characters at most and is the run's id.

Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html
"""

from __future__ import annotations

import re
from hashlib import sha256

from functions.common.errors import InvalidName
from functions.common.recipe_keys import shown

TUNING_NAME_LENGTH = 32
_AGAIN = "-type-"
TRAINING_NAME_LENGTH = 63 - len(_AGAIN) - 1
"""SageMaker takes 63 characters; the rest is for a job that follows on another instance type."""
_NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9])*")
_FOLLOWING = re.compile(rf"(?P<first>.+){_AGAIN}(?P<number>[2-9])")


def from_request(project: str, recipe: str, request_id: str) -> str:
    """The name of the job that this request starts: the same request has the same name, so a retry starts
    no second.

    At most 12 + 1 + 10 + 1 + 8 = 32 characters.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", recipe.lower())[:10].strip("-") or "run"
    return f"{project}-{slug}-{sha256(request_id.encode()).hexdigest()[:8]}"


def final_of(tuning_job: str) -> str:
    """The name of the one training job that follows a tuning job."""
    return f"{tuning_job}-final"


def following(training_job: str) -> str:
    """The name of the job that takes a job's place on another instance type: `<first>-type-2`, `-type-3`."""
    found = _FOLLOWING.fullmatch(training_job)
    number = int(found["number"]) if found else 1
    return f"{first_of(training_job)}{_AGAIN}{number + 1}"


def first_of(training_job: str) -> str:
    """The name of the job that was started first for this one's work."""
    found = _FOLLOWING.fullmatch(training_job)
    return found["first"] if found else training_job


def checked(name: str, project: str, limit: int) -> str:
    """A name the caller chose.

    Raises:
        InvalidName: it does not start with `<project>-`, is longer than `limit`, or has characters
        SageMaker refuses.
    """
    if not name.startswith(f"{project}-"):
        raise InvalidName(
            f'job name {shown(name)} has to start with "{project}-", as everything of this project does'
        )
    if len(name) > limit:
        raise InvalidName(f"job name {shown(name)} has {len(name)} characters; at most {limit} are allowed")
    if not _NAME.fullmatch(name):
        raise InvalidName(
            f"job name {shown(name)} may have letters, digits and hyphens only, and no hyphen at its end"
        )
    return name
