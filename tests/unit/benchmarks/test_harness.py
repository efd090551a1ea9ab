"""A benchmark's result: a table for the reader and a file for whoever checks it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import harness


def test_a_result_is_written_with_date_commit_and_machine_and_shown_as_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(harness, "ROOT", tmp_path)
    monkeypatch.setattr(harness, "RESULTS", tmp_path / "results")
    rows = [
        {"system": "ours", "seconds": 1.23456},
        {"system": "peer", "seconds": 4.0},
        {"system": "x", "mb": 7},
    ]
    path = harness.publish("sample", rows, {"speedup": 3.24})
    result = json.loads(path.read_text())
    assert list(result) == ["name", "date", "commit", "machine", "rows", "summary"]
    assert result["rows"] == rows
    assert result["machine"]["cores"] >= 1
    told = capsys.readouterr().out
    assert "1.235" in told
    assert "speedup: 3.24" in told
    assert told.count("system") == 2, "rows with other keys have a table of their own"
