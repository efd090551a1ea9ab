"""Which model is the champion, and whether it sleeps: what the champion parameter's newest version says.

Its form is written down in lambda/common/champion.py, which writes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from cli.target import Target

NONE = "none"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_WENT_BACK = re.compile(r"\S+ .*?went back: (.*)", re.DOTALL)
_ASLEEP = re.compile(r"\S+ asleep (arn:\S+)")


@dataclass(frozen=True)
class Champion:
    """`value` is what the Serving stack follows (`none` when asleep), `model` the package that is or would be
    served, empty when there is none; `time` is that of what it was decided by, ISO 8601 in UTC, or empty;
    `went_back` is why a decision before this one was taken back, if this is what did that.
    """

    value: str
    model: str
    time: str = ""
    went_back: str = ""

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
    description = newest.get("Description", "")
    asleep, time = _ASLEEP.match(description) if value == NONE else None, _TIME.match(description)
    back = _WENT_BACK.match(description)
    model = asleep[1] if asleep else value
    return Champion(value, "" if model == NONE else model, time[0] if time else "", back[1] if back else "")
