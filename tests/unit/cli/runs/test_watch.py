"""Following a run: what is said beside the run itself."""

from __future__ import annotations

import collections
from pathlib import Path

import pytest

from cli.runs import watch
from cli.target import Target

Usage = collections.namedtuple("Usage", "total used free")


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(watch, "say", lines.append)
    return lines


def a_target(kind: str, home: Path) -> Target:
    return Target(kind=kind, project="classifier", root=home, home=home, port=1)


def test_a_full_disk_is_said_once_and_only_of_this_machine(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch.shutil, "disk_usage", lambda _: Usage(10**9, 10**9, 3 * 2**20))
    assert watch._warn_of_full_disk(a_target("aws", tmp_path), False) is False
    assert said == []
    assert watch._warn_of_full_disk(a_target("local", tmp_path), False) is True
    assert watch._warn_of_full_disk(a_target("local", tmp_path), True) is True
    assert len(said) == 1
    assert f"The disk of {tmp_path} is full (3 MiB free)" in said[0]


def test_a_disk_with_room_is_not_spoken_of(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch.shutil, "disk_usage", lambda _: Usage(10**12, 0, 10**12))
    assert watch._warn_of_full_disk(a_target("local", tmp_path), False) is False
    assert said == []
