"""A table that says of which class each picture is: Kaggle's `labels.csv`, Hugging Face's `metadata.csv`."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cli.data.splits import SPLIT_NAMES
from contract.datasets import SUFFIXES

NAME_COLUMNS: Final = (
    *("file_name", "filename", "file", "image", "image_name", "image_id"),
    *("img", "path", "image_path", "filepath", "picture", "id", "name"),
)
LABEL_COLUMNS: Final = (
    *("label", "class", "class_name", "category", "species"),
    *("breed", "target", "labels", "y"),
)
SPLIT_COLUMNS: Final = ("split", "set", "subset", "partition")
_LEAST: Final = 0.5
"""So many of a table's rows have to name a picture that is there."""


@dataclass(frozen=True)
class Row:
    """A picture, its class and its split, which is empty when the table does not say."""

    path: Path
    label: str
    split: str


@dataclass(frozen=True)
class Table:
    """What a table says, and with which of its lines something is wrong."""

    path: Path
    name_column: str
    label_column: str
    rows: tuple[Row, ...]
    problems: tuple[tuple[int, str], ...]
    unlisted: tuple[Path, ...] = ()
    """Pictures of the folder that it does not name."""


def find(folder: Path) -> Table | None:
    """The tables of a folder as one: of those that name pictures in it, the one that names most.

    A table in each split's folder (Hugging Face's `imagefolder`) gives each its split.
    """
    there = list(_pictures(folder))
    pictures = _by_name(there)
    read = [table for path in sorted(folder.rglob("*.csv")) if (table := _read(path, folder, pictures))]
    in_splits = [table for table in read if _split_of(table.path, folder)]
    if in_splits and len({table.path.parent for table in in_splits}) > 1:
        table = replace(
            in_splits[0],
            rows=tuple(row for each in in_splits for row in each.rows),
            problems=tuple(problem for each in in_splits for problem in each.problems),
        )
    elif read:
        table = max(read, key=lambda each: len(each.rows))
    else:
        return None
    listed = {row.path for row in table.rows}
    return replace(table, unlisted=tuple(path for path in there if path not in listed))


def _read(path: Path, folder: Path, pictures: dict[str, list[Path]]) -> Table | None:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            lines = csv.DictReader(file)
            columns = _columns(lines.fieldnames or ())
            if columns is None:
                return None
            rows, problems, total = [], [], 0
            for number, line in enumerate(lines, 2):
                total += 1
                found = _row(line, columns, path, folder, pictures)
                if isinstance(found, Row):
                    rows.append(found)
                else:
                    problems.append((number, found))
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    if not rows or len(rows) < _LEAST * total:
        return None
    return Table(path, columns[0], columns[1], tuple(rows), tuple(problems))


def _columns(names: Sequence[str]) -> tuple[str, str, str] | None:
    """The columns of file, class and split (empty for none), by what people call them."""
    by_word = {name.strip().lower(): name for name in names if name}
    name, label, split = (
        next((by_word[word] for word in words if word in by_word), "")
        for words in (NAME_COLUMNS, LABEL_COLUMNS, SPLIT_COLUMNS)
    )
    return (name, label, split) if name and label else None


def _row(
    line: dict[str, str],
    columns: tuple[str, str, str],
    table: Path,
    folder: Path,
    pictures: dict[str, list[Path]],
) -> Row | str:
    """The row, or what is wrong with it."""
    file, label = (line.get(columns[0]) or "").strip(), (line.get(columns[1]) or "").strip()
    split = SPLIT_NAMES.get((line.get(columns[2]) or "").strip().lower(), "") if columns[2] else ""
    if not file or not label:
        return "names no file or no class"
    beside = table.parent / file
    places = [beside] if beside.is_file() else pictures.get(Path(file).name) or pictures.get(file) or []
    if not places:
        return f"names {file}, which is not there"
    if len(places) > 1:
        return f"names {file}, which is there {len(places)} times"
    return Row(places[0], label, split or _split_of(table, folder))


def _split_of(table: Path, folder: Path) -> str:
    """The split whose folder a table lies in."""
    parts = table.relative_to(folder).parts[:-1]
    return next((SPLIT_NAMES[part.lower()] for part in parts if part.lower() in SPLIT_NAMES), "")


def _by_name(pictures: Iterable[Path]) -> dict[str, list[Path]]:
    """Pictures by name, with and without its end: Kaggle's tables leave that out."""
    named: dict[str, list[Path]] = {}
    for path in pictures:
        named.setdefault(path.name, []).append(path)
        named.setdefault(path.stem, []).append(path)
    return named


def _pictures(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES and path.is_file())
