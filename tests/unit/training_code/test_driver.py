"""A job that pays for a GPU uses it, or ends before anything else is done and names what does not fit."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
import torch

from contract import nvidia
from tests.unit.training_code.samples import TINY, job_folder
from tests.unit.training_code.test_job import run
from training_code import entrypoint
from training_code.errors import NoGpu
from training_code.hardware import driver

NVRM = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {}  Release Build  (builder@host)  Mon Nov 2\n"
)
pytestmark = pytest.mark.skipif(torch.cuda.is_available(), reason="about machines whose GPU cannot be used")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for what a container finds of NVIDIA: neither a driver nor libraries at first."""
    monkeypatch.setattr(nvidia, "DRIVER", tmp_path / "version")
    monkeypatch.setattr(entrypoint, "COMPATIBLE", tmp_path / "compat")
    monkeypatch.setattr(driver, "COMPATIBLE", tmp_path / "compat")
    for name in ("LD_LIBRARY_PATH", "NVIDIA_VISIBLE_DEVICES"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def give(machine: Path, driver: str = "", libraries: str = "") -> None:
    if driver:
        (machine / "version").write_text(NVRM.format(driver))
    if libraries:
        (machine / "compat").mkdir()
        for name in (f"libcuda.so.{libraries}", "libcuda.so.1", "libcuda.so"):
            (machine / "compat" / name).touch()


@pytest.fixture
def restarts(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the entry would have started in its own place."""
    seen: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _, arguments: seen.append(arguments))
    monkeypatch.setattr(sys, "argv", ["/opt/program/entrypoint.py", "train"])
    return seen


def test_an_older_driver_gets_nvidias_libraries_before_python_starts_again(
    machine: Path, restarts: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    give(machine, "535.183.01", "580.178.04")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/theirs")
    entrypoint.suit_the_driver()
    assert restarts == [[sys.executable, "/opt/program/entrypoint.py", "train"]]
    assert os.environ["LD_LIBRARY_PATH"] == f"{machine / 'compat'}:/theirs"
    entrypoint.suit_the_driver()
    assert len(restarts) == 1, "it starts again once only"


@pytest.mark.parametrize(
    ("driver", "libraries"),
    [("", "580.178.04"), ("535.183.01", ""), ("580.95.05", "580.178.04"), ("595.10", "580.178.04")],
    ids=["no driver", "no libraries", "the same branch", "a newer driver"],
)
def test_a_driver_that_needs_no_help_is_left_alone(
    machine: Path, restarts: list[list[str]], driver: str, libraries: str
) -> None:
    give(machine, driver, libraries)
    entrypoint.suit_the_driver()
    assert restarts == []
    assert "LD_LIBRARY_PATH" not in os.environ


@pytest.mark.parametrize(
    ("line", "version"),
    [
        (NVRM.format("570.86.15"), "570.86.15"),
        (
            "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12 2024\nGCC version: 13",
            "535.183.01",
        ),
        ("nothing of the kind", ""),
    ],
)
def test_the_drivers_version_is_read_from_the_kernel(machine: Path, line: str, version: str) -> None:
    (machine / "version").write_text(line)
    assert nvidia.driver_version() == version


def test_a_gpu_that_cannot_be_used_is_told_with_driver_and_versions(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    give(machine, "470.256.02", "580.178.04")
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", "all")
    with pytest.raises(NoGpu) as told:
        driver.check("ml.g5.xlarge", allow_cpu=False)
    for named in (
        "ml.g5.xlarge",
        "driver 470.256.02",
        f"PyTorch {torch.__version__}",
        f"CUDA {torch.version.cuda or 'none'}",
        "compatibility libraries 580.178.04 not in use",
        "NVIDIA_VISIBLE_DEVICES=all",
        "[resources] allow_cpu = true",
    ):
        assert named in str(told.value)


def test_a_build_without_cuda_is_told_to_be_the_wrong_one(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    with pytest.raises(NoGpu, match=r"built without CUDA; take the training image's target gpu .*CUDA none"):
        driver.check("ml.g5.xlarge", allow_cpu=False)


def test_allow_cpu_goes_on_and_says_so(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    driver.check("ml.p4d.24xlarge", allow_cpu=True)
    assert "driver none" in capsys.readouterr().out


@pytest.mark.parametrize("instance_type", ["ml.c7i.2xlarge", "local", ""])
def test_nothing_is_said_where_no_gpu_is_paid_for(
    machine: Path, instance_type: str, capsys: pytest.CaptureFixture[str]
) -> None:
    driver.check(instance_type, allow_cpu=False)
    assert capsys.readouterr().out == ""


def on(base: Path, instance_type: str) -> Path:
    told = {"hosts": ["algo-1"], "current_host": "algo-1", "current_instance_type": instance_type}
    (base / "input" / "config" / "resourceconfig.json").write_text(json.dumps(told))
    return base


def test_a_job_on_a_gpu_instance_without_cuda_fails_before_it_looks_at_its_data(
    pictures: Path, tmp_path: Path
) -> None:
    base = on(job_folder(tmp_path / "base", pictures, TINY), "ml.g5.xlarge")
    (base / "input" / "data" / "train").unlink()  # nothing of it is looked at
    code, log = run(base)
    assert code == 1
    assert "Traceback" not in log
    assert (base / "output" / "failure").read_text().startswith("NoGpu: ml.g5.xlarge has a GPU")


def test_a_job_that_may_use_the_processor_trains_on_it(pictures: Path, tmp_path: Path) -> None:
    asked = TINY | {"epochs": "1", "allow_cpu": "yes"}
    base = on(job_folder(tmp_path / "base", pictures, asked), "ml.g5.xlarge")
    code, log = run(base)
    assert code == 0, log
    assert "allow_cpu: computing on the processor" in log
    assert (base / "model" / "model.safetensors").exists()
