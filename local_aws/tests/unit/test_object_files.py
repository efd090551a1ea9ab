"""The two files of an object change as one, whichever call the process dies in."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local_aws.ministack_adapter import object_files

STEPS = 16


def died_in_step(number: int, work: Callable[[], object]) -> bool:
    """Run `work` in a process that is gone when it begins its `number`th call that changes the disk; whether
    it came so far.
    """
    child = os.fork()
    if child == 0:
        calls = 0

        def deadly(name: str, owner: Any) -> None:
            original = getattr(owner, name)

            def call(*arguments: Any, **options: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == number:
                    os._exit(9)
                return original(*arguments, **options)

            setattr(owner, name, call)

        for name, owner in (("replace", Path), ("unlink", Path), ("open", os), ("fdopen", os)):
            deadly(name, owner)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def content(path: Path) -> tuple[str, str] | None:
    sidecar = object_files.sidecar_of(path)
    return (path.read_text(), json.loads(sidecar.read_text())["etag"]) if sidecar.exists() else None


@pytest.mark.parametrize("before", [("old", "1"), None])
def test_after_a_kill_an_object_is_wholly_the_old_one_or_wholly_the_new(
    tmp_path: Path, before: tuple[str, str] | None
) -> None:
    seen = set()
    for step in range(1, STEPS):
        path = tmp_path / f"{step}" / "account" / "bucket" / "key"
        path.parent.mkdir(parents=True)
        if before is not None:
            object_files.write(path, before[0].encode(), {"etag": before[1]})
        killed = died_in_step(step, lambda path=path: object_files.write(path, b"new", {"etag": "2"}))
        object_files.recover(tmp_path / f"{step}")
        seen.add(found := content(path))
        assert found in (before, ("new", "2"))
        assert [name for name in path.parent.iterdir() if name.suffix == object_files.NEW] == []
        if not killed:
            assert found == ("new", "2")
            break
    else:
        pytest.fail(f"the write takes more than {STEPS} steps")
    assert seen == {before, ("new", "2")}


def test_half_a_copy_of_an_old_version_never_counts(tmp_path: Path) -> None:
    version = tmp_path / object_files.VERSIONS / "account" / "bucket" / "v1" / "key"
    version.parent.mkdir(parents=True)
    version.with_name(f"key{object_files.NEW}").write_text("ha")
    object_files.recover(tmp_path)
    assert list(version.parent.iterdir()) == []


@pytest.mark.parametrize("step", [1, 2])
def test_a_write_that_fails_leaves_the_old_object_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    path = tmp_path / "key"
    object_files.write(path, b"old", {"etag": "1"})
    opened, original = [], os.fdopen

    def full(*arguments: Any, **options: Any) -> Any:
        opened.append(arguments)
        if len(opened) == step:
            raise OSError(28, "No space left on device")
        return original(*arguments, **options)

    monkeypatch.setattr(os, "fdopen", full)
    with contextlib.suppress(OSError):
        object_files.write(path, b"new", {"etag": "2"})
    monkeypatch.undo()
    assert content(path) == ("old", "1")
    assert sorted(name.name for name in tmp_path.iterdir()) == ["key", "key.meta.json"]
