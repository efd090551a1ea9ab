"""An audit asks for every version that is pinned, and fails for what it could not ask."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from cli import node
from tools import audit, lock, pins
from tools.pins import Pin

HASH = ("sha256:" + "0" * 64,)


def test_both_versions_of_a_package_are_asked_for_whatever_machine_asks() -> None:
    old, new = (
        Pin("networkx", "3.6.1", "python_full_version < '3.12'", HASH),
        Pin("networkx", "3.7", "", HASH),
    )
    other = Pin("pillow", "13.0.0", "sys_platform == 'none'", HASH)
    lists = audit.rounds([old, new, other, new, other])
    assert [[pin.requirement for pin in each] for each in lists] == [
        ["networkx==3.6.1", "pillow==13.0.0"],
        ["networkx==3.7"],
    ]


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pip-audit that notes what it was asked and finds nothing, and an npm that finds nothing."""
    program = tmp_path / "bin" / "pip-audit"
    program.parent.mkdir()
    note = tmp_path / "asked"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {note}\nfor each; do last="$each"; done\ncat "$last" >> {note}\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(audit, "ENVIRONMENT", tmp_path)
    monkeypatch.setattr(audit, "install", lambda *_: True)
    monkeypatch.setattr(node, "npm", lambda *_: CompletedProcess([], 0, "found 0 vulnerabilities", ""))
    return note


def test_every_version_of_every_file_is_asked_for(asked: Path) -> None:
    assert audit.main([]) == 0
    text = asked.read_text()
    for path in (pins.LAPTOP, pins.AUDIT, *(each.path for each in lock.DERIVED)):
        for pin in pins.read(path):
            assert f"{pin.name}=={pin.version} \\" in text
    assert ";" not in text


def test_what_a_service_does_not_know_is_not_taken_for_clean(asked: Path) -> None:
    audit.main(["--vulnerability-service", "osv"])
    command = asked.read_text().splitlines()[0].split()
    assert "--strict" in command
    assert command[command.index("--vulnerability-service") + 1] == "osv"
    assert [command[at + 1] for at, each in enumerate(command) if each == "--ignore-vuln"] == audit.accepted()


def test_an_npm_that_is_not_answered_fails_the_audit(
    asked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        node, "npm", lambda *_: CompletedProcess([], 1, "", "audit endpoint returned an error")
    )
    assert audit.main([]) == 1
    told = capsys.readouterr()
    assert "audit endpoint returned an error" in told.out
    assert "the CDK CLI" in told.err


def test_an_image_that_nobody_can_scan_fails_the_audit(
    asked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert audit.main(["--image", "classifier:cpu"]) == 1
    assert "trivy" in capsys.readouterr().out
