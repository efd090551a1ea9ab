"""What was found in picture files before, so that a file that did not change is not decoded again.

A file is the same while its path, size and time of change are. It is kept in this checkout's state folder,
and losing it costs time only.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

from cli.data.pictures import Checked

FORMAT: Final = 3
"""Grows when `pictures.check` judges otherwise than before."""
_TABLE: Final = (
    "CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, stamp TEXT, size INT, content TEXT, "
    "suffix TEXT, problem TEXT, problem_kind TEXT, remark TEXT, thumbnail BLOB)"
)

_Row = tuple[str, str, int, str, str, str, str, str, bytes]


class Cache:
    """The files below one folder. `file` None: nothing is remembered."""

    def __init__(self, file: Path | None, folder: Path) -> None:
        self._file = file
        # Keys are texts: making ten thousand paths takes longer than looking at ten thousand files.
        self._given, self._real = os.fspath(folder), os.fspath(folder.resolve())
        self._known: dict[str, tuple[str, Checked]] = {}
        self._new: dict[str, tuple[str, Checked]] = {}
        with suppress(sqlite3.Error, OSError):
            self._known = self._load(f"{self._real}/")

    def get(self, path: Path) -> Checked | None:
        """What was found in the file, if it is the same still."""
        stamp, checked = self._known.get(self._key(path), ("", None))
        return checked if checked is not None and stamp == _stamp(path) else None

    def put(self, path: Path, checked: Checked) -> None:
        """Remember what was found; an unreadable file may be readable the next time."""
        stamp = _stamp(path)
        if stamp and checked.problem_kind != "unreadable":
            self._new[self._key(path)] = stamp, checked

    def _key(self, path: Path) -> str:
        return self._real + os.fspath(path)[len(self._given) :]

    def save(self) -> None:
        """Write down what is new. A cache that cannot be written is none."""
        if self._file is None or not self._new:
            return
        rows = [(path, stamp, *checked) for path, (stamp, checked) in self._new.items()]
        with suppress(sqlite3.Error, OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with closing(self._open(self._file)) as database, database:
                database.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def _load(self, prefix: str) -> dict[str, tuple[str, Checked]]:
        if self._file is None or not self._file.exists():
            return {}
        with closing(self._open(self._file)) as database:
            found: Iterable[_Row] = database.execute(
                "SELECT * FROM files WHERE path >= ? AND path < ?", (prefix, f"{prefix[:-1]}0")
            )
            return {row[0]: (row[1], Checked(*row[2:])) for row in found}

    def _open(self, file: Path) -> sqlite3.Connection:
        database = sqlite3.connect(file, timeout=10)
        if database.execute("PRAGMA user_version").fetchone()[0] != FORMAT:
            database.executescript(f"DROP TABLE IF EXISTS files; PRAGMA user_version = {FORMAT}")
        database.execute(_TABLE)
        return database


def _stamp(path: Path) -> str:
    """Changes with the file; empty when there is none."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size}:{status.st_mtime_ns}:{status.st_ino}"
