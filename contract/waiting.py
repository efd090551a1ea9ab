"""Why an approved model waits: it could not be brought up, for something that is not its fault.

It stays Approved and is tried again by itself (functions/promote_model/waiting.py), or by `classifier retry`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

MOST_TRIES = 10
"""So often it is tried by itself."""


class Cause(StrEnum):
    """What stood in a promotion's way."""

    QUOTA = "quota"
    CAPACITY = "capacity"
    """AWS had no instance of the type left."""
    PERMISSION = "permission"
    IMAGE = "image"
    """The container image is not there, or may not be pulled."""
    SERVICE = "service"
    """AWS was busy, or failed by itself."""
    MODEL = "model"
    """The only one for which the package is rejected; for all others it waits."""


MENDED_BY: Mapping[Cause, str] = {
    Cause.QUOTA: "Ask for more under Service Quotas (Amazon SageMaker, '<instance type> for endpoint "
    "usage'); `classifier check` says how many, with the command. An update of an endpoint that serves needs "
    "room for twice its instances",
    Cause.CAPACITY: "AWS has no instance of the type left at the moment. It may have later, or of another "
    "type: serving.instance_type in cdk.json takes a list",
    Cause.PERMISSION: "Something may not be done; the reason names it. `classifier up` puts the project's "
    "own roles back as they were",
    Cause.IMAGE: "The model's container image could not be pulled: see that it is in ECR and that the "
    "endpoint's role may pull it. `classifier up` builds the project's own image again",
    Cause.SERVICE: "AWS was busy or failed by itself; nothing has to be done",
}
"""What a person can do about each but the last, in words."""


@dataclass(frozen=True)
class Waiting:
    """An approved model that waits to be tried again."""

    package: str
    cause: Cause
    tries: int
    """How often it was tried."""
