"""The page's markup: Jinja2 templates beside this file, which escape whatever they are given.

A line break in a template, with the indent that follows, is no part of the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_LINE_BREAK: Final = re.compile(r"\n[ \t]*")


class _Joined(FileSystemLoader):
    """Reads a template as one line."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, name, current = super().get_source(environment, template)
        return _LINE_BREAK.sub("", source), name, current


def _fixed(value: float, digits: int = 0) -> str:
    """For styles and coordinates, where a string could do harm."""
    return f"{value:.{digits}f}"


_ENVIRONMENT: Final = Environment(
    loader=_Joined(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined
)
_ENVIRONMENT.filters["fixed"] = _fixed


def page(**values: Any) -> str:
    """The whole page."""
    return _ENVIRONMENT.get_template("page.html").render(values)


def chart(macro: str, *values: Any) -> Markup:
    """One of its drawings: markup that the page does not escape again."""
    drawn: Markup = getattr(_ENVIRONMENT.get_template("charts.html").module, macro)(*values)
    return drawn
