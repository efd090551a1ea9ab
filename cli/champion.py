"""Which model is the champion, and whether it sleeps: what the champion parameter's versions say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cli import decisions
from cli.target import Target
from contract.names import NO_CHAMPION, champion_parameter


@dataclass(frozen=True)
class Champion:
    """`value` is what the Serving stack follows (`none` when asleep), `model` the package that is or would be
    served, empty when there is none; `time` is that of what it was decided by, ISO 8601 in UTC, or empty;
    `went_back` is why a decision before this one was taken back, if this is what did that; `written` is when
    the parameter got this value.
    """

    value: str
    model: str
    time: str = ""
    went_back: str = ""
    written: datetime | None = None
    waits: str = ""
    """An approved package that could not be brought up for something that is not its fault."""
    waits_for: str = ""
    tries: int = 0
    why: str = ""

    @property
    def asleep(self) -> bool:
        return self.value == NO_CHAMPION and bool(self.model)

    @property
    def version(self) -> str:
        return self.model.rpartition("/")[2]


def read(target: Target) -> Champion:
    """The champion now; all empty when the parameter is not there."""
    known = history(target)
    return known[-1] if known else Champion("", "")


def history(target: Target) -> list[Champion]:
    """Every champion that is still known (SSM keeps a hundred versions), in the order they were written; none
    when the parameter is not there.
    """
    ssm = target.client("ssm")
    try:
        pages = ssm.get_paginator("get_parameter_history").paginate(Name=champion_parameter(target.project))
        versions = [each for page in pages for each in page["Parameters"]]
    except ssm.exceptions.ParameterNotFound:
        return []
    return [_champion(each) for each in sorted(versions, key=lambda each: int(each["Version"]))]


def _champion(version: dict[str, Any]) -> Champion:
    value = str(version["Value"])
    stated = decisions.of_champion(version.get("Description", ""), value)
    model = stated.asleep or ("" if value == NO_CHAMPION else value)
    written = version.get("LastModifiedDate")
    return Champion(
        value,
        model,
        stated.time,
        stated.why if stated.went_back else "",
        written.astimezone(UTC) if written else None,
        stated.waits,
        stated.waits_for,
        stated.tries,
        stated.why,
    )
