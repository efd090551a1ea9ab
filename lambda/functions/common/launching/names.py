"""Names of jobs, made from requests or chosen by callers. A tuning job's name is the run's id."""

from __future__ import annotations

import re
from hashlib import sha256

from contract.names import JOB
from functions.common.errors import InvalidName
from functions.common.recipes.keys import quoted


def from_request(project: str, recipe: str, request_id: str) -> str:
    """The name of the job that this request starts: the same request has the same name, so a retry starts
    no second.

    At most 12 + 1 + 10 + 1 + 8 = 32 characters.
    """
    slug = re.sub(r"[^a-z0-9]+", "-", recipe.lower())[:10].strip("-") or "run"
    return f"{project}-{slug}-{sha256(request_id.encode()).hexdigest()[:8]}"


def checked(name: str, project: str, limit: int) -> str:
    """A name the caller chose.

    Raises:
        InvalidName: it does not start with `<project>-`, is longer than `limit`, or has characters
        SageMaker refuses.
    """
    if not name.startswith(f"{project}-"):
        raise InvalidName(
            f'job name {quoted(name)} has to start with "{project}-", as everything of this project does'
        )
    if len(name) > limit:
        raise InvalidName(f"job name {quoted(name)} has {len(name)} characters; at most {limit} are allowed")
    if not JOB.fullmatch(name):
        raise InvalidName(
            f"job name {quoted(name)} may have letters, digits and hyphens only, and no hyphen at its end"
        )
    return name
