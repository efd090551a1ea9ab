"""There is always one whole checkpoint, whatever happens while it is replaced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from training_code.errors import UnusableCheckpoint
from training_code.training.checkpoints import FILE, Checkpoint, Checkpoints


def checkpoint(value: float) -> Checkpoint:
    return Checkpoint({"network": {"fc.weight": torch.full((2, 2), value)}}, {"progress": {"epoch": value}})


def test_what_was_saved_last_comes_back(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, {"arch": "resnet18", "classes": ["a", "b"]})
    checkpoints.save(checkpoint(1))
    checkpoints.save(checkpoint(2))
    latest = checkpoints.latest()
    assert latest is not None
    assert latest.note["progress"] == {"epoch": 2}
    assert torch.equal(latest.tensors["network"]["fc.weight"], torch.full((2, 2), 2.0))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_without_a_folder_nothing_is_kept() -> None:
    checkpoints = Checkpoints(None, {})
    checkpoints.save(checkpoint(1))
    assert checkpoints.latest() is None


def test_a_disk_that_fills_up_costs_the_new_checkpoint_not_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoints = Checkpoints(tmp_path, {})
    checkpoints.save(checkpoint(1))

    def full(_: Any, path: Path, **__: Any) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safetensors.torch, "save_file", full)
    checkpoints.save(checkpoint(2))
    latest = checkpoints.latest()
    assert latest is not None
    assert latest.note["progress"] == {"epoch": 1}
    assert "the last one stays" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_a_damaged_checkpoint_is_said_and_left_aside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / FILE).write_bytes(b"x" * 100)
    assert Checkpoints(tmp_path, {}).latest() is None
    assert "damaged, training starts anew" in capsys.readouterr().out


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    Checkpoints(tmp_path, {"arch": "resnet18", "seed": 1}).save(checkpoint(1))
    with pytest.raises(UnusableCheckpoint, match="it differs in arch"):
        Checkpoints(tmp_path, {"arch": "resnet50", "seed": 1}).latest()
