"""Pictures that belong together: shots of one animal, patients, sessions. They never get into two splits."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from cli.data.findings import BadUpload
from cli.data.layouts import File

FOLDER = "folder"
NONE = "none"
"""Instead of a rule: from now on there is none."""


def settled(asked: str | None, remembered: str) -> str:
    """The rule to apply: the one asked for, or that of the version before; empty for none."""
    if asked is None:
        return remembered
    return "" if asked == NONE else asked


def rule(group_by: str, folder: Path) -> Callable[[File], str]:
    """What gives a file its group; an empty one where it has none.

    Args:
        group_by: `folder` for the folder that a picture is in inside its class; a table, `<file>.csv`, with
            the columns file_name and group; else a regular expression, whose first group, or whole match, in
            the picture's path inside `folder` is its group. Empty: there are no groups.

    Raises:
        BadUpload: the table or the expression cannot be used.
    """
    if not group_by:
        return lambda file: ""
    if group_by == FOLDER:
        return lambda file: _inner_folder(file)
    if group_by.endswith(".csv"):
        groups = _table(Path(group_by))
        return lambda file: groups.get(_below(file, folder), groups.get(file.path.name, ""))
    try:
        expression = re.compile(group_by)
    except re.error as error:
        raise BadUpload(f"--group-by {group_by!r} is no regular expression: {error}.") from None
    return lambda file: _match(expression, _below(file, folder))


def _inner_folder(file: File) -> str:
    inner = PurePosixPath(file.name).parent
    return "" if inner == PurePosixPath() else f"{file.label}/{inner}"


def _match(expression: re.Pattern[str], path: str) -> str:
    found = expression.search(path)
    if found is None:
        return ""
    return next((each for each in found.groups() if each), "") if expression.groups else found[0]


def _table(path: Path) -> dict[str, str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file)
            if not {"file_name", "group"} <= set(lines.fieldnames or ()):
                raise BadUpload(
                    f"{path} lacks a column: --group-by wants file_name and group, and it has "
                    f"{', '.join(lines.fieldnames or ('none',))}."
                )
            return {line["file_name"]: line["group"] for line in lines if line["file_name"]}
    except OSError as error:
        raise BadUpload(
            f"--group-by: {path} cannot be read: {error.strerror}. Say where it is, or "
            "--group-by none to have no groups any more."
        ) from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadUpload(f"--group-by: {path} is no CSV table in UTF-8: {error}.") from None


def _below(file: File, folder: Path) -> str:
    return file.path.relative_to(folder).as_posix()
