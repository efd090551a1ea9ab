"""The check's lines on one screen."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from cli.check.line import Line, Status

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES = {Status.OK: "green", Status.WRONG: "bold red", Status.LATER: "yellow", Status.UNKNOWN: "yellow"}


def table(lines: Iterable[Line]) -> RenderableType:
    """Each check with its outcome; below a line that is not ok, why and what mends it."""
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    shown.add_column(no_wrap=True)
    shown.add_column(no_wrap=True, style="dim")
    shown.add_column(overflow="fold")
    for line in lines:
        said = Text(line.looked_at)
        if line.wrong:
            said.append(f"\n{line.wrong}")
        if line.mend:
            said.append(f"\n→ {line.mend}", style="cyan")
        shown.add_row(Text(line.status, style=_STYLES[line.status]), Text(line.code), said)
    return shown
