"""The page of one job that has ended, or of several beside each other."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from reports import Record, read_record
from reports.ended import comparison
from reports.ended.gate import gate
from reports.shared.markup import UNDRAWABLE
from reports.training import page

VERDICT: Final = "verdict.json"
"""The quality gate's."""
BILLED: Final = "billed.json"
"""Seconds and USD that the job is billed."""


class NoReport(Exception):
    """A record says what no training of this project writes."""


def read(report: Path, folder: Path) -> Record:
    """The record in `report`, with what is known only after the job has ended: it lies in `folder`.

    Raises:
        NoReport: it is none.
    """
    try:
        record: Record = json.loads(report.read_text(encoding="utf-8"))
        later = {"verdict": read_record(folder / VERDICT), "billed": read_record(folder / BILLED)}
        return record | {name: content for name, content in later.items() if content}
    except (OSError, *UNDRAWABLE) as error:
        raise _refusal(error) from None


def render(records: Sequence[Record]) -> str:
    """The report of one job, or the comparison of several.

    Raises:
        NoReport: one of them cannot be drawn.
    """
    try:
        if len(records) > 1:
            return comparison.render(records)
        return page.render(records[0], gate(records[0]), "ended")
    except UNDRAWABLE as error:
        raise _refusal(error) from None


def _refusal(error: Exception) -> NoReport:
    return NoReport(
        "these reports cannot be drawn, they say what no training of this project writes "
        f"({type(error).__name__}: {' '.join(str(error).split())[:200]})"
    )
