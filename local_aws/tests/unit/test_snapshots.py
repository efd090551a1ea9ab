"""ministack's memory on the disk: who waits for a writing, who shares one, and who hears that it failed."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ministack.core import persistence

from local_aws.ministack_adapter import snapshots
from local_aws.ministack_adapter.snapshots import NotSaved, Snapshots

State = dict[str, Any]


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], State]]:
    made: dict[str, Callable[[], State]] = {}
    monkeypatch.setattr(snapshots, "_states", lambda: made)
    return made


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    monkeypatch.setattr(persistence, "STATE_DIR", str(tmp_path))
    return lambda service: json.loads((tmp_path / f"{service}.json").read_text())["payload"]


def test_what_was_changed_before_a_commit_is_on_the_disk_after_it(
    states: dict[str, Callable[[], State]], saved: Callable[[str], Any]
) -> None:
    memory = {"a": 1}
    states["ssm"] = lambda: memory
    made = Snapshots()
    made.commit({"ssm"})
    memory["a"] = 2
    made.commit({"ssm"})
    assert saved("ssm") == {"a": 2}


def test_requests_that_wait_at_the_same_time_share_a_writing_which_saw_all_their_changes(
    states: dict[str, Callable[[], State]], saved: Callable[[str], Any]
) -> None:
    memory: State = {}
    reads: list[State] = []
    reading, go_on = threading.Event(), threading.Event()

    def slow() -> State:
        seen = dict(memory)
        reads.append(seen)
        reading.set()
        go_on.wait(10)
        return seen

    states["ssm"] = slow
    made = Snapshots()
    joined, joining = threading.Semaphore(0), made._joining

    class Joining:
        def __enter__(self) -> None:
            joining.acquire()

        def __exit__(self, *_: object) -> None:
            joining.release()
            joined.release()

    made._joining = Joining()  # type: ignore[assignment]

    def request(number: int) -> bool:
        memory[str(number)] = number
        made.commit({"ssm"})
        return str(number) in saved("ssm")

    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(made.commit, {"ssm"})
        reading.wait(10)
        others = [pool.submit(request, number) for number in range(5)]
        for _ in range(2 + 5):  # the first joined and began; all five have changed something and wait
            assert joined.acquire(timeout=10)
        go_on.set()
        first.result(10)
        assert all(other.result(10) for other in others)
    assert len(reads) == 2, "each of them wrote for itself"


def test_who_cannot_be_saved_hears_of_it_and_nobody_else(
    states: dict[str, Callable[[], State]], saved: Callable[[str], Any]
) -> None:
    def broken() -> State:
        raise OSError(28, "No space left on device")

    states["lambda"], states["ssm"] = broken, lambda: {"a": 1}
    made = Snapshots()
    made.commit({"ssm"})
    with pytest.raises(NotSaved, match=r"the state of lambda could not be saved: .*No space left"):
        made.commit({"lambda"})
    with pytest.raises(NotSaved):
        made.commit()
    assert saved("ssm") == {"a": 1}


def test_a_state_that_could_not_be_written_is_written_when_there_is_room(
    states: dict[str, Callable[[], State]], saved: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    states["ssm"] = lambda: {"a": 1}
    made = Snapshots()

    def full(*_: Any, **__: Any) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(Path, "write_text", full)
        with pytest.raises(NotSaved):
            made.commit({"ssm"})
    made.commit({"ssm"})
    assert saved("ssm") == {"a": 1}


def test_a_stacks_record_is_read_after_and_replaced_before_its_resources(
    states: dict[str, Callable[[], State]], saved: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    for name in ("cloudformation", "sns", "iam"):
        states[name] = lambda name=name: order.append(name) or {"n": 1}  # type: ignore[misc]
    replace = Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: order.append(to.stem) or replace(self, to))
    Snapshots().commit()
    assert sorted(order[:2]) == ["iam", "sns"]
    assert order[2:4] == ["cloudformation", "cloudformation"]
    assert saved("sns") == {"n": 1}
