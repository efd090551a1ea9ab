"""What an approved model waits for, in words, and what mends it: as promote-model wrote it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from cli.release.champion import Champion

# Of promote-model's causes (lambda/promote_model/causes.py); tests hold the two to each other.
MENDED_BY: Mapping[str, str] = {
    "quota": "Ask for more: `classifier check` says of what, how many, and the command. An update of an "
    "endpoint that serves needs room for twice its instances",
    "capacity": "AWS has no instance of these types left at the moment; serving.instance_type in cdk.json "
    "takes a list of others",
    "permission": "Something may not be done, the reason names it; `classifier up` puts the project's own "
    "roles back as they were",
    "image": "Its container image cannot be pulled; `classifier up` builds the project's own again",
    "service": "AWS was busy, or failed by itself",
}
MOST_TRIES = 10
"""So often it is tried by itself (lambda/promote_model/waiting.py)."""


class Waits(Protocol):
    """What is known of a model that waits."""

    @property
    def waits_for(self) -> str: ...
    @property
    def tries(self) -> int: ...
    @property
    def waits_why(self) -> str: ...


@dataclass(frozen=True)
class Waiting:
    """It, read from the champion."""

    waits_for: str
    tries: int
    waits_why: str


def of(now: Champion) -> Waiting:
    """What waits beside the champion."""
    return Waiting(now.waits_for, now.tries, now.why)


def told(waits: Waits, version: str) -> str:
    """What a person has to know: that the model is not to blame, what is, and how it goes on."""
    by_itself = (
        "It is tried again by itself; at once with" if waits.tries < MOST_TRIES else "When it is mended:"
    )
    why = f": {waits.waits_why}" if waits.waits_why else ""
    mend = MENDED_BY.get(waits.waits_for, "The reason says what to do")
    return (
        f"version {version} is approved and waits, for something that is not its fault ({waits.waits_for})"
        f"{why}. {mend}. {by_itself} `classifier retry`"
    )
