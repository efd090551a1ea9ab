"""The one terminal every command prints to, made when first used so that `--help` stays quick."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


@cache
def console() -> Console:
    from rich.console import Console

    return Console(highlight=False)


@cache
def error_console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False, soft_wrap=True)


def say(text: str, style: str = "") -> None:
    """Prints a line as it is: no markup read in it, not broken at the terminal's width."""
    console().print(text, style=style, markup=False, soft_wrap=True)
