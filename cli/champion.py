"""Which model is the champion, and whether it sleeps: what the champion parameter's newest version says.

Its form is written down in lambda/common/champion.py, which writes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cli.target import Target

NONE = "none"
_ASLEEP = re.compile(r"\S+ asleep (arn:\S+)")


@dataclass(frozen=True)
class Champion:
    """`value` is what the Serving stack follows (`none` when asleep), `model` the package that is or would be
    served, empty when there is none.
    """

    value: str
    model: str

    @property
    def asleep(self) -> bool:
        return self.value == NONE and bool(self.model)

    @property
    def version(self) -> str:
        return self.model.rpartition("/")[2]


def read(target: Target) -> Champion:
    """The champion now; all empty when the parameter is not there."""
    ssm = target.client("ssm")
    name = f"/{target.project}/champion"
    try:
        pages = ssm.get_paginator("get_parameter_history").paginate(Name=name)
        newest = max(
            (each for page in pages for each in page["Parameters"]), key=lambda each: each["Version"]
        )
    except ssm.exceptions.ParameterNotFound:
        return Champion("", "")
    value = str(newest["Value"])
    asleep = _ASLEEP.match(newest.get("Description", "")) if value == NONE else None
    model = asleep[1] if asleep else value
    return Champion(value, "" if model == NONE else model)
