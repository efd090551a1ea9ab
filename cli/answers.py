"""What a command answers: JSON for programs, or a listing for people.

Every `--json` prints one object: `kind` says what it is, `version` of which form, and `data` is the answer.
docs/command.md has the keys of each kind; to add one is no new version, to change or remove one is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, is_dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from cli.console import wants_json

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table
    from rich.text import Text

VERSION: Final = 1
_UNBOUNDED: Final = 10_000
_TIMES: Final = ("created", "started")


class Kind(StrEnum):
    """What an answer is."""

    BATCH = "batch"
    CHECK = "check"
    CORRECTIONS = "corrections"
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
    SELECTION = "selection"


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


class Listing:
    """A table, the names first; where it is too wide for the terminal, a few lines for each row.

    Args:
        right: the columns of numbers.
        styles: how each row is drawn; none for all alike.
    """

    def __init__(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[str | Text]],
        right: Sequence[str] = (),
        styles: Sequence[str] = (),
    ) -> None:
        self._columns, self._rows, self._right = columns, rows, right
        self._styles = styles or [""] * len(rows)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.measure import Measurement

        table = self._table()
        unbounded = options.update(max_width=_UNBOUNDED)
        if Measurement.get(console, unbounded, table).maximum <= options.max_width:
            yield table
            return
        for row, style in zip(self._rows, self._styles, strict=True):
            yield from self._record(row, style)

    def _table(self) -> Table:
        from rich.table import Table

        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
        for column in self._columns:
            justify: Literal["left", "right"] = "right" if column in self._right else "left"
            table.add_column(column, justify=justify, no_wrap=True)
        for row, style in zip(self._rows, self._styles, strict=True):
            table.add_row(*map(_text, row), style=style)
        return table

    def _record(self, row: Sequence[str | Text], style: str) -> Iterator[RenderableType]:
        from rich.padding import Padding
        from rich.text import Text

        name, *cells = map(_text, row)
        name.overflow = "fold"
        yield name
        known = [
            (column.strip(), cell) for column, cell in zip(self._columns[1:], cells, strict=True) if cell
        ]
        parts = [Text.assemble((f"{column} ", "dim"), cell) for column, cell in known]
        yield Padding(Text(", ", overflow="fold", style=style).join(parts), (0, 0, 0, 2))


def _text(cell: str | Text) -> Text:
    from rich.text import Text

    return Text(cell) if isinstance(cell, str) else cell


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
