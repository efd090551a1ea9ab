"""Durable state of our services: a key/value store of JSON documents in one SQLite file.

Every write is on disk when the call returns, every document is a fresh copy, `update` is atomic between
threads. On a full disk a request's write fails at once (`DiskFull`). Background work, such as noting how a
job ended, has nobody to tell: inside `waiting_for_room` its writes wait for room.
"""

from __future__ import annotations

import contextvars
import json
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

log = logging.getLogger(__name__)

Document = dict[str, Any]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (kind, key)
)
"""
_UPSERT = """
INSERT INTO documents (kind, key, body) VALUES (?, ?, ?)
ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body
"""
_DATETIME = "$datetime"
# https://www.sqlite.org/rescode.html: the low byte of an extended code.
_PRIMARY_CODE = 0xFF
_RETRY_SECONDS = 1.0
_SAY_EVERY = 30
_waits: contextvars.ContextVar[bool] = contextvars.ContextVar("store_waits", default=False)
_T = TypeVar("_T")


class DiskFull(OSError):
    """Nothing could be written, as the disk is full or fails; what was stored before is still there."""


@contextmanager
def waiting_for_room() -> Iterator[None]:
    """In this context, writes to a full disk wait for room instead of failing."""
    token = _waits.set(True)
    try:
        yield
    finally:
        _waits.reset(token)


class NoSuchDocument(KeyError):
    """`update` was asked to change a document that does not exist."""

    def __init__(self, kind: str, key: str) -> None:
        super().__init__(f"no {kind} {key!r} in the store")


class Store:
    """Documents by (kind, key).

    `kind` is a plain word such as ``training-job``; `key` mostly the resource name.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = threading.RLock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # WAL commits survive the death of the process; NORMAL leaves out the fsync only a power cut would
        # need.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(_SCHEMA)

    def put(self, kind: str, key: str, document: Document) -> None:
        """Create or replace a document."""
        body = _dump(document)
        self._write(lambda: self._db.execute(_UPSERT, (kind, key, body)))

    def get(self, kind: str, key: str) -> Document | None:
        """The document, or None if there is none."""
        with self._lock:
            row = self._db.execute(
                "SELECT body FROM documents WHERE kind = ? AND key = ?", (kind, key)
            ).fetchone()
        return None if row is None else _load(row[0])

    def delete(self, kind: str, key: str) -> bool:
        """Remove a document; whether there was one."""
        sql = "DELETE FROM documents WHERE kind = ? AND key = ?"
        return self._write(lambda: self._db.execute(sql, (kind, key)).rowcount) > 0

    def list(self, kind: str) -> list[Document]:
        """All documents of a kind, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT body FROM documents WHERE kind = ? ORDER BY id", (kind,)
            ).fetchall()
        return [_load(row[0]) for row in rows]

    def update(self, kind: str, key: str, change: Callable[[Document], Document]) -> Document:
        """Replace a document by `change(document)` and return the new one; nothing can write in between.

        Raises NoSuchDocument if there is none; if `change` raises, nothing is written.
        """

        def write() -> Document:
            document = self.get(kind, key)
            if document is None:
                raise NoSuchDocument(kind, key)
            changed = change(document)
            self.put(kind, key, changed)
            return _load(_dump(changed))

        return self._write(write)

    def create(self, kind: str, key: str, document: Document) -> bool:
        """Create a document unless one of this key exists; whether it was created."""

        def write() -> bool:
            if self.get(kind, key) is not None:
                return False
            self.put(kind, key, document)
            return True

        return self._write(write)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Several calls as one: all are written, or (on an exception, such as DiskFull) none."""
        with self._lock:
            if self._db.in_transaction:  # inside an outer transaction of this thread, which will commit
                yield
                return
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield
                self._db.execute("COMMIT")
            except BaseException as error:
                self._roll_back()
                if _is_full(error):
                    raise DiskFull(f"{self.path} cannot be written: {error}") from error
                raise

    @property
    def in_transaction(self) -> bool:
        """Whether this thread is in a transaction."""
        with self._lock:  # another thread's has ended when we have the lock
            return self._db.in_transaction

    def atomically(self, work: Callable[[], _T]) -> _T:
        """Do all that `work` writes, or nothing of it. Where it may wait for room it is tried again then."""
        return self._write(work)

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # after some errors SQLite has rolled back by itself
            self._db.execute("ROLLBACK")

    def _write(self, work: Callable[[], _T]) -> _T:
        """`work` as one transaction; where it may wait, again and again until the disk has room."""
        with self._lock:
            patient = _waits.get() and not self._db.in_transaction
        attempt = 0
        while True:
            try:
                with self.transaction():
                    return work()
            except DiskFull as error:
                if not patient:
                    raise
                if attempt % _SAY_EVERY == 0:
                    log.error("%s; make room: what waits to be stored is stored then", error)
            attempt += 1
            time.sleep(_RETRY_SECONDS)

    def close(self) -> None:
        """Close the file; the store cannot be used afterwards."""
        with self._lock:
            self._db.close()


def _is_full(error: BaseException) -> bool:
    """Whether there was no room: SQLite calls a used-up quota or file size an I/O error."""
    if not isinstance(error, sqlite3.OperationalError):
        return False
    return error.sqlite_errorcode & _PRIMARY_CODE in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR)


def _dump(document: Document) -> str:
    return json.dumps(document, default=_encode)


def _load(text: str) -> Document:
    document: Document = json.loads(text, object_hook=_decode)
    return document


def _encode(value: object) -> object:
    if isinstance(value, datetime):
        return {_DATETIME: value.isoformat()}
    raise TypeError(f"{type(value).__name__} cannot be stored; use JSON values and datetimes")


def _decode(value: Document) -> Any:
    if value.keys() == {_DATETIME}:
        return datetime.fromisoformat(value[_DATETIME])
    return value
