"""What people, programs and strangers may write: JSON and text that no parser may fall over."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

DEEP = "[" * 20_000 + "]" * 20_000
LONG = "9" * 5_000
"""A number of more digits than Python turns into an int."""

ODD_TEXTS = (
    "",
    "\n",
    "a\n",
    "\0",
    "\ud800",
    "٣",
    "-" * 3_000,
    "../x",
    '"',
    LONG,
    DEEP,
    "1e400",
    "NaN",
    "0x" + "f" * 5_000,
)

NUMBERS = st.integers() | st.floats() | st.sampled_from([10**400, -(10**400), 1e308, math.nan, math.inf])


def nested(depth: int = 500) -> Any:
    """Lists in lists."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def texts(*own: str) -> st.SearchStrategy[str]:
    """Any text, the odd ones and the words of what is tested more often."""
    return st.text(max_size=20) | st.sampled_from([*ODD_TEXTS, *own])


def json_values(keys: Sequence[str] = (), words: Sequence[str] = ()) -> st.SearchStrategy[Any]:
    """Any JSON value, whose objects often have these keys and whose texts are often these words."""
    leaves = st.none() | st.booleans() | NUMBERS | texts(*words) | st.builds(nested)
    names = texts(*keys) if not keys else st.sampled_from(list(keys)) | texts()
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
        max_leaves=12,
    )


def changed(value: Any, draw: Any, new: st.SearchStrategy[Any]) -> Any:
    """The structure with one of its parts replaced or left out."""
    if isinstance(value, dict) and value and draw(st.integers(0, 4)):
        key = draw(st.sampled_from(sorted(value, key=str)))
        if not draw(st.integers(0, 5)):
            return {name: inner for name, inner in value.items() if name != key}
        return {**value, key: changed(value[key], draw, new)}
    if isinstance(value, list) and value and draw(st.integers(0, 4)):
        place = draw(st.integers(0, len(value) - 1))
        return [*value[:place], changed(value[place], draw, new), *value[place + 1 :]]
    return draw(new)


def edited(text: str) -> st.SearchStrategy[str]:
    """A text with a part of it replaced by something odd."""
    places = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(sorted)
    return st.builds(lambda ends, new: text[: ends[0]] + new + text[ends[1] :], places, texts())


def refusal(
    errors: type[Exception] | tuple[type[Exception], ...], act: Callable[..., Any], *given: Any
) -> str:
    """What `act` refuses these values with; empty when it takes them. Any other error is the test's."""
    try:
        act(*given)
    except errors as error:
        return str(error) or type(error).__name__
    return ""
