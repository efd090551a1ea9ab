"""The root user's key is random, its owner's only, and stays."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from local_aws import root_key
from local_aws.server import CannotStartError, Settings, claim
from unit.test_core_server import free_port


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_every_state_folder_has_a_key_of_its_own_and_keeps_it(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    one, two = map(root_key.of, folders)
    assert one != two
    assert [root_key.of(folder) for folder in folders] == [one, two]
    assert (len(one.access_key_id), len(one.secret_access_key)) == (20, 40)
    assert one.secret_access_key not in repr(one)


def test_only_its_owner_can_read_the_key(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        root_key.of(tmp_path)
    finally:
        os.umask(before)
    (path,) = tmp_path.iterdir()
    assert mode(path) == 0o600
    path.chmod(0o644)
    root_key.of(tmp_path)
    assert mode(path) == 0o600


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"AccessKeyId": "A"}'])
def test_a_file_without_a_key_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / root_key.FILE).write_text(text)
    with pytest.raises(root_key.UnusableRootKeyError, match=root_key.FILE):
        root_key.of(tmp_path)


def test_a_state_folder_is_closed_to_others_also_one_that_was_open(tmp_path: Path) -> None:
    for name, made in (("new", False), ("old", True)):
        state = tmp_path / name
        if made:
            state.mkdir(mode=0o755)
        claim(Settings(free_port(), state)).close()
        assert mode(state) == 0o700


def test_a_state_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    (tmp_path / "state").mkdir(mode=0o755)
    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(CannotStartError, match="cannot be used"):
        claim(Settings(free_port(), tmp_path / "state"))
