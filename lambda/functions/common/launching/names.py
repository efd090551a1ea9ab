"""Names of jobs, made from requests or chosen by callers. A tuning job's name is the run's id."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Final

from contract.names import JOB, TUNING_JOB_LENGTH
from functions.common.errors import InvalidName
from functions.common.recipes.keys import quoted

_OWN: Final = 8
"""Characters that are the request's own."""


def from_request(project: str, recipe: str, request_id: str) -> str:
    """The name of the job that this request starts: the same request has the same name, so a retry starts
    no second.

    It fits a tuning job, which has the shortest names.
    """
    own = sha256(request_id.encode()).hexdigest()[:_OWN]
    room = TUNING_JOB_LENGTH - len(project) - len(own) - 2
    return f"{project}-{_shortened(recipe, room) or 'run'}-{own}"


def _shortened(recipe: str, room: int) -> str:
    """A recipe's name in so many characters: its longest words lose their last letters, not their numbers.

    So `dogs-resnet18-adamw` and `dogs-resnet18-cpu` stay apart, which begin alike.
    """
    words = re.findall(r"[a-z0-9]+", recipe.lower())
    while words and len("-".join(words)) > room:
        longest = max(range(len(words)), key=lambda position: len(words[position]))
        letters = words[longest].rstrip("0123456789")
        number = words[longest][len(letters) :]
        words[longest] = letters[:-1] + number if len(letters) > 1 or not number else letters + number[:-1]
        words = [word for word in words if word]
    return "-".join(words)


def checked(name: str, project: str, limit: int) -> str:
    """A name the caller chose.

    Raises:
        InvalidName: it does not start with `<project>-`, is longer than `limit`, or has characters
        SageMaker refuses.
    """
    if not name.startswith(f"{project}-"):
        raise InvalidName(
            f'job name {quoted(name)} has to start with "{project}-": this project may start jobs of such '
            "names only"
        )
    if len(name) > limit:
        raise InvalidName(f"job name {quoted(name)} has {len(name)} characters; at most {limit} are allowed")
    if not JOB.fullmatch(name):
        raise InvalidName(
            f"job name {quoted(name)} may have letters, digits and hyphens only, and no hyphen at its end"
        )
    return name
