"""What is read of GPUs, on a machine without one: NVIDIA's library and torch's events are stood in for."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from training_code.profiling.gpu import Gpu, Gpus
from training_code.profiling.profile import Profile
from training_code.profiling.steps import StepTimer
from training_code.profiling.system import Sampler
from training_code.training.callback import PHASES

GIB = 2**30


class Nvml:
    """libnvidia-ml.so.1 with two GPUs. What is told not to answer gives NVML_ERROR_NOT_SUPPORTED (3)."""

    def __init__(self) -> None:
        self.silent: set[str] = set()

    def nvmlInit_v2(self) -> int:
        return 3 * ("init" in self.silent)

    def nvmlDeviceGetCount_v2(self, count: Any) -> int:
        count._obj.value = 2
        return 0

    def nvmlDeviceGetHandleByIndex_v2(self, index: int, handle: Any) -> int:
        handle._obj.value = 1000 + index
        return 0

    def nvmlDeviceGetUtilizationRates(self, handle: ctypes.c_void_p, busy: Any) -> int:
        busy._obj.gpu = {1000: 70, 1001: 35}[handle.value or 0]
        return 3 * ("use" in self.silent)

    def nvmlDeviceGetMemoryInfo(self, handle: ctypes.c_void_p, memory: Any) -> int:
        memory._obj.total, memory._obj.used = 16 * GIB, 3 * GIB
        return 3 * ("memory" in self.silent)


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> Nvml:
    library = Nvml()

    def load(name: str) -> Nvml:
        assert name == "libnvidia-ml.so.1"
        return library

    monkeypatch.setattr(ctypes, "CDLL", load)
    return library


def test_each_gpus_use_and_memory_are_columns_of_the_profile(nvml: Nvml, tmp_path: Path) -> None:
    assert Gpus().look() == [Gpu(70.0, 3 * GIB, 16 * GIB), Gpu(35.0, 3 * GIB, 16 * GIB)]
    sampler = Sampler(os.getpid(), tmp_path)
    sampler.sample()
    sampler.sample()
    seen = Profile.read(tmp_path)
    assert seen.gpus == 2
    assert seen.gpu("busy").tolist() == [[70, 70], [35, 35]]
    assert seen.gpu("used_mb").tolist() == [[3072, 3072], [3072, 3072]]
    assert seen.gpu("total_mb")[0, 0] == 16384


@pytest.mark.parametrize("silent", ["init", "use", "memory"])
def test_a_library_that_does_not_answer_is_no_gpu(nvml: Nvml, silent: str, tmp_path: Path) -> None:
    nvml.silent.add(silent)
    assert Gpus().look() == []
    Sampler(os.getpid(), tmp_path).sample()
    assert Profile.read(tmp_path).gpus == 0


def test_a_gpu_that_falls_silent_costs_its_lines_and_moves_no_column(nvml: Nvml, tmp_path: Path) -> None:
    sampler = Sampler(os.getpid(), tmp_path)
    sampler.sample()
    nvml.silent.add("use")
    sampler.sample()
    nvml.silent.clear()
    sampler.sample()
    assert Profile.read(tmp_path).gpu("busy").tolist() == [[70, 70], [35, 35]]


class Event:
    """A mark in a GPU's queue, which reaches one every ten milliseconds."""

    reached = 0.0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        Event.reached += 10
        self.at = Event.reached

    def elapsed_time(self, other: Event) -> float:
        return other.at - self.at


def test_on_a_gpu_the_parts_are_those_of_its_own_queue(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    waited = []
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 300 * 2**20)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: waited.append(True))
    batches: Any = SimpleNamespace(machine=SimpleNamespace(device=torch.device("cuda")), steps=70)
    timer = StepTimer(tmp_path)
    timer.training_begins(None, None, batches)  # type: ignore[arg-type]
    for step in range(70):
        timer.step_begins(1, step)
        for name in PHASES:
            timer.phase(name)
        timer.step_ends(torch.zeros(()))
        assert not waited, "a step that is timed makes nobody wait"
    timer.end()
    steps = Profile.read(tmp_path).steps
    assert len(steps["step"]) == 70
    for part in (*PHASES, "rest", "between"):
        assert steps[part] == pytest.approx(0.01)
    assert set(steps["memory_mb"]) == {300.0}
    assert waited == [True], "once, at the end"
