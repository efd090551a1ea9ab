"""Markup: Jinja2 templates, which escape whatever they are given.

A template holds the macros of the module beside it. A line break in it, with the indent that follows, is no
part of the page. Numbers go through the filters below wherever a string would do harm: in styles and
coordinates, which are not only text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError
from markupsafe import Markup

NOTHING: Final = Markup("")
"""A section that a record has nothing for."""
ROOT: Final = Path(__file__).parents[1]
_LINE_BREAK: Final = re.compile(r"\n[ \t]*")

UNDRAWABLE: Final = (
    *(TemplateError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError, RecursionError),
)
"""What drawing fails with when a record says something that no training of this project writes."""


class _Joined(FileSystemLoader):
    """Reads a template as one line."""

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, name, current = super().get_source(environment, template)
        return _LINE_BREAK.sub("", source), name, current


def _fixed(value: float, digits: int = 0) -> str:
    return f"{value:.{digits}f}"


def _percent(value: float, digits: int = 1) -> str:
    return f"{value:.{digits}%}"


def _general(value: float, digits: int = 6) -> str:
    return f"{value:.{digits}g}"


def _points(dots: Iterable[Sequence[float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y, *_ in dots)


_ENVIRONMENT: Final = Environment(loader=_Joined(ROOT), autoescape=True, undefined=StrictUndefined)
_ENVIRONMENT.filters |= {"fixed": _fixed, "percent": _percent, "general": _general, "points": _points}


def draw(macro: str, *values: Any) -> Markup:
    """What the macro `<room>/<template>.<name>` makes of the values: markup that is not escaped again."""
    template, _, name = macro.partition(".")
    drawn: Markup = getattr(_ENVIRONMENT.get_template(f"{template}.html").module, name)(*values)
    return drawn
