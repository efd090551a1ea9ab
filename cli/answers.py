"""What a command answers: JSON for programs, or a listing for people.

Every `--json` prints one object: `kind` says what it is, `version` of which form, and `data` is the answer.
docs/command.md has the keys of each kind; to add one is no new version, to change or remove one is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

import click

from cli.console import console, wants_json

if TYPE_CHECKING:
    from rich.console import RenderableType

VERSION: Final = 1
_TIMES: Final = ("created", "started")


class Kind(StrEnum):
    """What an answer is."""

    CHECK = "check"
    COST = "cost"
    DATASET = "dataset"
    DATASETS = "datasets"
    DOCTOR = "doctor"
    LAUNCHED = "launched"
    LOGS = "logs"
    MODELS = "models"
    OUTPUTS = "outputs"
    PREDICTIONS = "predictions"
    RECIPES = "recipes"
    REPORT = "report"
    RUN = "run"
    RUNS = "runs"


def write(kind: Kind, data: Any) -> None:
    """Prints an answer as JSON, in ASCII: every terminal and pipe takes that."""
    answer = {"kind": kind.value, "version": VERSION, "data": data}
    click.echo(json.dumps(answer, indent=2, default=_plain))


def wrote(kind: Kind, data: Any) -> bool:
    """Prints an answer if JSON is asked for; whether it is."""
    if wants_json():
        write(kind, data)
        return True
    return False


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat(timespec="seconds")
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)


def listing(
    columns: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()
) -> RenderableType:
    """A table, the names first; where it is too wide for the terminal, a few lines for each row.

    Args:
        right: the columns of numbers.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for column in columns:
        table.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*map(Text, row))
    if (
        table.__rich_measure__(console(), console().options.update(max_width=10_000)).maximum
        <= console().width
    ):
        return table
    return Group(*(_record(columns, row) for row in rows))


def _record(columns: Sequence[str], row: Sequence[str]) -> RenderableType:
    from rich.console import Group
    from rich.padding import Padding
    from rich.text import Text

    rest = [f"{column} {cell}" for column, cell in zip(columns[1:], row[1:], strict=True) if cell]
    name = Text(row[0], style="bold", overflow="fold")
    return Group(name, Padding(Text(", ".join(rest), overflow="fold"), (0, 0, 0, 2)))


def ordered(rows: Sequence[dict[str, Any]], by: str, limit: int | None) -> list[dict[str, Any]]:
    """The rows, the largest or newest first; by a name, from a to z. Those without a value come last."""
    known = [row for row in rows if row.get(by) is not None]
    unknown = [row for row in rows if row.get(by) is None]
    descending = by in _TIMES or any(not isinstance(row[by], str) for row in known)
    return [*sorted(known, key=lambda row: row[by], reverse=descending), *unknown][:limit]


def number(value: float | None, form: str) -> str:
    """A number in a cell; empty where it is not known."""
    return "" if value is None else format(value, form)


def minute(moment: str | None) -> str:
    """A moment in ISO 8601, to the minute."""
    return (moment or "")[:16].replace("T", " ")


def duration(seconds: float | None) -> str:
    """`48 s`, `12 min` or `3 h 20 min`."""
    if seconds is None:
        return ""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"
