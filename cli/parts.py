"""A part of a name, and the one thing that has it: for every name that a command takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cli.errors import Ambiguous
from contract.words import did_you_mean, listed

_MOST_SHOWN: Final = 10


def one(part: str, candidates: Sequence[str], what: str, prefix: str = "") -> str:
    """The candidate of this name, or the only one that has it as a part; empty where none has.

    Args:
        what: the candidates in a word, as `runs`.
        prefix: what all of them begin with: without it too a name is whole.

    Raises:
        Ambiguous: several have it; the message lists them.
    """
    for whole in (part, f"{prefix}{part}"):
        if whole in candidates:
            return whole
    having = [each for each in candidates if part in each]
    if len(having) > 1:
        raise Ambiguous(several(part, having, what))
    return having[0] if having else ""


def several(part: str, having: Sequence[str], what: str) -> str:
    """That several have a part, and which."""
    shown = "".join(f"\n  {each}" for each in having[:_MOST_SHOWN])
    more = f"\n  and {len(having) - _MOST_SHOWN} more" if len(having) > _MOST_SHOWN else ""
    return f"{part!r} is in the names of {len(having)} {what}. Name one:{shown}{more}"


def none(part: str, candidates: Sequence[str], what: str) -> str:
    """That none has a part, with the nearest name and the first few."""
    some = f" There are: {listed(candidates)}." if candidates else f" There are no {what} yet."
    near = did_you_mean(part, [*candidates, *_ends(candidates)])
    return f"None of the {what} has {part!r} in its name.{near}{some}"


def _ends(candidates: Sequence[str]) -> list[str]:
    """What names have behind their first hyphen, whole and word by word: what somebody types of them."""
    ends = [each.partition("-")[2] for each in candidates]
    return [word for end in ends for word in (end, *end.split("-")) if word]
