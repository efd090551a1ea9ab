"""The store: durable, atomic, and giving out copies."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_aws.core import store as store_module
from local_aws.core.store import DiskFull, NoSuchDocument, Store, waiting_for_room

SOURCE = Path(store_module.__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "state" / "store.db")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.datetimes(timezones=st.just(UTC)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)
@given(document=st.dictionaries(st.text(), JSON, max_size=4))
def test_a_document_comes_back_as_it_was_put(document: dict[str, Any]) -> None:
    store = Store(Path(":memory:"))
    store.put("kind", "key", document)
    assert store.get("kind", "key") == document


def test_what_cannot_be_stored_is_said_and_nothing_is_written(store: Store) -> None:
    with pytest.raises(TypeError, match="set cannot be stored"):
        store.put("kind", "key", {"a": {1, 2}})
    assert store.get("kind", "key") is None


def test_documents_are_listed_by_age_also_after_a_change(store: Store) -> None:
    for key in ("b", "a", "c"):
        store.put("job", key, {"name": key})
    store.put("job", "b", {"name": "b", "changed": True})
    store.put("other", "x", {})
    assert [document["name"] for document in store.list("job")] == ["b", "a", "c"]


def test_create_and_delete_tell_whether_they_did_anything(store: Store) -> None:
    assert store.create("job", "a", {"n": 1})
    assert not store.create("job", "a", {"n": 2})
    assert store.get("job", "a") == {"n": 1}
    assert store.delete("job", "a")
    assert not store.delete("job", "a")


def test_updates_from_many_threads_lose_nothing(store: Store) -> None:
    store.put("count", "er", {"n": 0})

    def add() -> None:
        for _ in range(50):
            store.update("count", "er", lambda document: {"n": document["n"] + 1})

    threads = [threading.Thread(target=add) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.get("count", "er") == {"n": 400}


def test_a_failing_change_writes_nothing(store: Store) -> None:
    store.put("job", "a", {"n": 1})

    def fail(document: dict[str, Any]) -> dict[str, Any]:
        store.put("job", "b", {"half": "done"})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.update("job", "a", fail)
    assert store.get("job", "b") is None
    with pytest.raises(NoSuchDocument, match="no job 'z' in the store"):
        store.update("job", "z", lambda document: document)


def test_a_transaction_is_written_whole_or_not_at_all(store: Store) -> None:
    def half() -> None:
        with store.transaction():
            store.put("job", "a", {})
            store.put("job", "b", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert store.list("job") == []


def test_what_was_put_survives_kill_9(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from local_aws.core.store import Store\n"
        "Store(Path(sys.argv[1])).put('job', 'a', {'n': 1}); os.kill(os.getpid(), signal.SIGKILL)"
    )
    path = tmp_path / "store.db"
    subprocess.run(
        [sys.executable, "-c", program, str(path)], check=False, env=os.environ | {"PYTHONPATH": str(SOURCE)}
    )
    assert Store(path).get("job", "a") == {"n": 1}


def test_a_closed_store_is_closed(store: Store) -> None:
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.get("job", "a")


def test_times_keep_their_zone(store: Store) -> None:
    now = datetime.now(UTC)
    store.put("job", "a", {"at": [now]})
    assert store.get("job", "a") == {"at": [now]}


def fill(store: Store) -> None:
    """No page more than the file has: what SQLite says then is what it says of a full disk."""
    store.put("kind", "key", {"size": "small"})
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")


def make_room(store: Store) -> None:
    store._db.execute("PRAGMA max_page_count = 100000")


LARGE = {"size": "large" * 10_000}


def test_a_write_on_a_full_disk_fails_and_leaves_the_store_as_it_was(store: Store) -> None:
    fill(store)
    with pytest.raises(DiskFull, match=r"store\.db cannot be written: .*full"):
        store.put("kind", "key", LARGE)

    def two_writes() -> None:
        with store.transaction():
            store.put("kind", "other", {})
            store.put("kind", "key", LARGE)

    with pytest.raises(DiskFull):
        two_writes()
    assert store.get("kind", "key") == {"size": "small"}
    assert store.get("kind", "other") is None
    make_room(store)
    store.put("kind", "key", LARGE)
    assert Store(store.path).get("kind", "key") == LARGE


def test_background_work_waits_for_room_on_a_full_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(store)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            make_room(store)

    monkeypatch.setattr(store_module.time, "sleep", sleep)
    with waiting_for_room():
        store.update("kind", "key", lambda _: LARGE)
    assert len(pauses) == 3
    assert Store(store.path).get("kind", "key") == LARGE


def test_a_file_that_may_not_grow_is_a_full_disk_too(tmp_path: Path) -> None:
    """A used-up quota or a bound on files: SQLite calls it an I/O error, and background work must wait."""
    program = (
        "import resource, sys; from pathlib import Path; from local_aws.core.store import DiskFull, Store\n"
        "store = Store(Path(sys.argv[1])); resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))\n"
        "try: store.put('job', 'a', {'text': 'x' * 200_000})\n"
        "except DiskFull: print('full')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "store.db")],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )
    assert done.stdout == "full\n"
