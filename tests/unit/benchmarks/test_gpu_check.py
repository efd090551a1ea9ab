"""The GPU check's own conduct: where results go, what a part that fails leads to, and that a CPU is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks import gpu_check
from benchmarks.gpu_check_pictures import CLASSES, make
from benchmarks.gpu_check_resume import difference
from benchmarks.training import Ran

SERVER = {"p50_1": 5.0, "errors": 0}


@pytest.fixture
def out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for results, on a machine without a GPU."""
    monkeypatch.setenv("OUT", str(tmp_path / "out"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(gpu_check, "make", lambda folder, count, size: folder)
    return tmp_path / "out"


def test_results_go_where_out_says_and_a_cpu_is_told(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        gpu_check, "PARTS", {"resume": lambda *_: ([{"system": "x"}], {"resume_holds": True})}
    )
    assert gpu_check.main() == 0
    result = json.loads((out / "gpu_check.json").read_text())
    assert "CPU only" in result["summary"]["device"]
    assert result["rows"] == [{"part": "resume", "system": "x"}]
    assert "CPU only" in (out / "gpu_check.txt").read_text()


def test_a_part_that_fails_is_told_and_the_others_go_on(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: Any) -> Any:
        raise SystemExit("CUDA out of memory")

    went_on: list[str] = []
    parts = {"training": fails, "serving": lambda *_: (went_on.append("serving") or [], {})}
    monkeypatch.setattr(gpu_check, "PARTS", parts)
    assert gpu_check.main() == 1
    assert went_on == ["serving"]
    assert "out of memory" in json.loads((out / "gpu_check.json").read_text())["summary"]["training_failed"]


@pytest.mark.parametrize(
    ("twice", "resumed", "equal", "holds"),
    [(0, 0, True, True), (0, 1e-6, False, False), (1e-3, 1e-4, False, True), (1e-3, 2e-3, False, False)],
)
def test_a_resume_is_equal_to_the_bit_or_no_further_off_than_two_runs_are_from_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, twice: float, resumed: float, equal: bool, holds: bool
) -> None:
    told = {"stopped_at": 3, "straight_twice": twice, "resumed": resumed, "halfway": 0.1}
    monkeypatch.setattr(gpu_check, "_part", lambda *_: Ran(json.dumps(told), 1.0, 1.0, 1.0))
    _, summary = gpu_check.resume(tmp_path, tmp_path, gpu_check.ON_CPU)
    assert (summary["resume_equal_to_the_bit"], summary["resume_holds"]) == (equal, holds)


@pytest.mark.parametrize(("agreement", "errors", "holds"), [(1.0, 0, True), (0.9, 0, False), (1.0, 1, False)])
def test_serving_holds_when_the_answers_are_pytorchs_and_none_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agreement: float, errors: int, holds: bool
) -> None:
    told = {"agreement": agreement, "largest_difference": 0.0, "precision": "cpu, float32"}
    told |= {"server": {**SERVER, "errors": errors}, "eager": {"p50_1": 10.0}}
    monkeypatch.setattr(gpu_check, "_part", lambda *_: Ran(json.dumps(told), 1.0, 1.0, 1.0))
    _, summary = gpu_check.serving(tmp_path, tmp_path, gpu_check.ON_CPU)
    assert (summary["serving_holds"], summary["serving_p50_vs_eager"]) == (holds, 0.5)


def test_pictures_are_the_same_each_time_with_every_class_in_every_split(tmp_path: Path) -> None:
    one, two = make(tmp_path / "one", 32, 16), make(tmp_path / "two", 32, 16)
    files = sorted(path.relative_to(one) for path in one.rglob("*.jpg"))
    assert len(files) == 32 + 8 + 8
    assert all((one / file).read_bytes() == (two / file).read_bytes() for file in files)
    for split in ("train", "valid", "test"):
        assert len(list((one / split).iterdir())) == CLASSES


def test_the_difference_is_the_largest_of_any_tensor() -> None:
    one = {"a": torch.zeros(3), "b": torch.ones(2)}
    assert difference(one, one) == 0
    assert difference(one, {"a": torch.zeros(3), "b": torch.tensor([1.0, 0.5])}) == 0.5
