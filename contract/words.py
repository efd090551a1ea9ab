"""Words of a message, wherever it is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def listed(names: Sequence[str], most: int = 3) -> str:
    """Names in a sentence, in their order; of more than `most`, the first and how many more there are."""
    first = ", ".join(names[:most])
    return first if len(names) <= most else f"{first} and {len(names) - most} more"


def counted(number: int, one: str, several: str) -> str:
    """A number of things, as in `1 trial` and `4 trials`."""
    return f"{number:,} {one if number == 1 else several}"


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """A sentence to append, with a space before it; empty where no choice is near."""
    near = get_close_matches(word, list(choices), n=1)
    return f' Did you mean "{near[0]}"?' if near else ""
