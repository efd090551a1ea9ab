"""Decisions about pictures, as a CSV that the doctor writes, people edit, and an upload applies.

Its columns are `COLUMNS`, of which `picture` and `action` have to be there. What a spreadsheet makes of such
a file is read as well: a byte order mark, semicolons, columns in another order.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from contract.datasets import SPLITS

COLUMNS: Final = ("picture", "sha256", "action", "label", "split", "reason", "score")
FILE: Final = "decisions.csv"
FINDINGS: Final = "findings.json"
PAGE: Final = "doctor.html"
"""What the doctor leaves beside it."""
_REQUIRED: Final = ("picture", "action")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MOST_PROBLEMS: Final = 5


class Action(StrEnum):
    """What is to be done with a picture."""

    DROP = "drop"
    RELABEL = "relabel"
    """It belongs to the class `label`."""
    MOVE = "move"
    """It belongs to the split `split`."""
    KEEP = "keep"
    """Nothing, for good: it was looked at."""


class BadDecisions(ValueError):
    """A file of decisions that cannot be applied; each line of the message names a line of the file."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done with one picture.

    Attributes:
        picture: its name: the path below the folder it was uploaded from.
        sha256: of its content; empty: whatever its content.
        action: None: not decided yet; `label` and `split` are a proposal then.
        label: the class for RELABEL.
        split: the split for MOVE.
        reason, score: why, for people.
        line: where it stands in the file.
    """

    picture: str
    sha256: str = ""
    action: Action | None = None
    label: str = ""
    split: str = ""
    reason: str = ""
    score: float | None = None
    line: int = 0


def write(decisions: Iterable[Decision]) -> str:
    """The CSV."""
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(COLUMNS)
    for each in decisions:
        score = "" if each.score is None else f"{each.score:.4f}"
        rows.writerow(
            (each.picture, each.sha256, each.action or "", each.label, each.split, each.reason, score)
        )
    return out.getvalue()


def read(content: bytes) -> list[Decision]:
    """All decisions of a CSV, in its order; those not decided yet as well.

    Raises:
        BadDecisions: it cannot be read, or some lines cannot be applied.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadDecisions(f"line {line}: is not UTF-8 text; save the file as CSV with UTF-8") from None
    head = text.split("\n", 1)[0]
    rows = csv.reader(
        io.StringIO(text), delimiter=";" if head.count(";") > head.count(",") else ",", strict=True
    )
    decisions: list[Decision] = []
    problems: list[str] = []
    try:
        columns = _columns(next(rows, []))
        for row in rows:
            if any(cell.strip() for cell in row):
                _add(dict(zip(columns, row, strict=False)), rows.line_num, decisions, problems)
    except csv.Error as error:
        problems.append(f"line {rows.line_num}: is no CSV: {error}")
    problems += _contradictions(decisions)
    if problems:
        more = len(problems) - _MOST_PROBLEMS
        shown = problems[:_MOST_PROBLEMS] + ([f"and {more} more"] if more > 0 else [])
        raise BadDecisions("\n".join(shown))
    return decisions


def _columns(head: list[str]) -> list[str]:
    columns = [cell.strip().lower() for cell in head]
    missing = [name for name in _REQUIRED if name not in columns]
    unknown = [name for name in columns if name not in COLUMNS]
    if missing or unknown or len(set(columns)) < len(columns):
        what = (
            f"has no column {' and no '.join(missing)}"
            if missing
            else f"has the unknown column {unknown[0]!r}"
            if unknown
            else "names a column twice"
        )
        raise BadDecisions(f"line 1: {what}; the columns are {', '.join(COLUMNS)}")
    return columns


def _add(row: Mapping[str, str], line: int, decisions: list[Decision], problems: list[str]) -> None:
    try:
        decisions.append(_decision(row, line))
    except BadDecisions as error:
        problems.append(f"line {line}: {error}")


def _decision(row: Mapping[str, str], line: int) -> Decision:
    def cell(name: str) -> str:
        return (row.get(name) or "").strip()

    picture = row.get("picture") or ""
    if not picture:
        raise BadDecisions("names no picture")
    sha256 = cell("sha256").lower()
    if sha256 and not _SHA256.fullmatch(sha256):
        raise BadDecisions(
            "has a sha256 that is not 64 hexadecimal digits; leave it empty to go by the name alone"
        )
    action, label, split = _action(cell("action")), cell("label"), cell("split")
    if action is Action.RELABEL or label:
        _check_label(action, label)
    if split and split not in SPLITS:
        raise BadDecisions(f"names the split {split!r}; there are {', '.join(SPLITS)}")
    if action is Action.MOVE and not split:
        raise BadDecisions(f"says move, but not to which split: {', '.join(SPLITS)}")
    score = cell("score").replace(",", ".")
    try:
        number = float(score) if score else None
    except ValueError:
        raise BadDecisions(f"has a score that is no number: {score!r}") from None
    return Decision(picture, sha256, action, label, split, cell("reason"), number, line)


def _action(text: str) -> Action | None:
    try:
        return Action(text.lower()) if text else None
    except ValueError:
        raise BadDecisions(
            f"has the action {text!r}; there are {', '.join(Action)}, and empty for undecided"
        ) from None


def _check_label(action: Action | None, label: str) -> None:
    if not label:
        raise BadDecisions("says relabel, but not to which class")
    if label in (".", "..") or set(label) & set("/\\") or not label.isprintable():
        raise BadDecisions(f"has the label {label!r}, which cannot be a class's name")


def _contradictions(decisions: Iterable[Decision]) -> list[str]:
    """Pictures that two lines want different things for."""
    first: dict[str, Decision] = {}
    problems = []
    for each in decisions:
        if each.action is None:
            continue
        before = first.setdefault(each.picture, each)
        if (before.action, before.label, before.split) != (each.action, each.label, each.split):
            problems.append(
                f"line {each.line}: {each.picture} is to be {_said(each)}, but line {before.line} "
                f"says {_said(before)}"
            )
    return problems


def _said(each: Decision) -> str:
    return " ".join(filter(None, (str(each.action), each.label, each.split)))
