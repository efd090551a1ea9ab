"""Whole jobs, in processes of their own, as SageMaker starts, stops and kills them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from contract import jobs
from tests.unit.training_code.samples import TINY, job_folder
from training_code import entrypoint

HYPERPARAMETERS = TINY | {"epochs": "3", "dataset": "shades", "run": "p-run"}


def start(base: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {
        "SAGEMAKER_BASE_DIR": str(base),
        "TRAINING_JOB_NAME": "p-shades-1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(base / "input" / "data" / "code"),
    }
    return subprocess.Popen(
        [sys.executable, entrypoint.__file__, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def run(base: Path, *arguments: str) -> tuple[int, str]:
    """Start and wait; the exit code and the log."""
    process = start(base, *(arguments or ("train",)))
    log, _ = process.communicate(timeout=600)
    return process.returncode, log


def metrics(log: str) -> list[str]:
    """The lines that carry numbers, without times."""
    return [line.split(" (")[0] for line in log.splitlines() if re.match(r"(epoch|test_loss)=", line)]


@pytest.fixture(scope="module")
def whole(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A job that ran through: its base folder and log."""
    base = job_folder(tmp_path_factory.mktemp("whole") / "base", pictures, HYPERPARAMETERS)
    code, log = run(base)
    assert code == 0, log
    return base, log


def test_a_job_leaves_its_model_and_its_evaluation(whole: tuple[Path, str]) -> None:
    base, log = whole
    model, evaluation = base / "model", base / "output" / "data" / "evaluation.json"
    assert (model / "model.safetensors").stat().st_size > 40_000_000
    assert json.loads((model / "model.json").read_text())["training_job"] == "p-shades-1"
    accuracy = json.loads(evaluation.read_text())["test"]["accuracy"]
    assert f"test_accuracy={accuracy:.6f}" in log
    assert not (base / "output" / "failure").exists()
    assert not (base / "checkpoints").exists()


SIGNALLED = """
import os, signal
from training_code.training import loop
step = loop._Training._step
def signalled(self, *batch):
    if (self.progress.epoch, self.progress.step) == (2, 1):
        os.kill(os.getpid(), signal.{how})
    step(self, *batch)
loop._Training._step = signalled
"""
"""Read by a Python process that finds it as `sitecustomize`: the signal comes amid the second epoch."""


@pytest.mark.parametrize(("how", "resumed"), [("SIGTERM", "epoch 2, step 2"), ("SIGKILL", "epoch 2, step 0")])
def test_a_job_interrupted_and_started_again_ends_with_the_same_numbers(
    how: str, resumed: str, whole: tuple[Path, str], pictures: Path, tmp_path: Path
) -> None:
    base = job_folder(tmp_path / "base", pictures, HYPERPARAMETERS)
    (base / "checkpoints").mkdir()
    hook = base / "input" / "data" / "code" / "sitecustomize.py"
    hook.write_text(SIGNALLED.format(how=how))
    code, log = run(base)
    assert code == (0 if how == "SIGTERM" else -signal.SIGKILL), log
    if how == "SIGTERM":
        assert f"stopped at {resumed}" in log
        assert (base / "model" / "model.safetensors").exists(), "the best model so far is kept"
        assert not (base / "output" / "data" / "evaluation.json").exists()
    else:
        reason = (base / "output" / "failure").read_text()
        assert "with exit code 137 it was killed, most likely because a step of 4 pictures of 16x16" in reason
        assert "used up the machine's memory: try batch_size=2, a smaller image_size" in reason
    hook.unlink()
    code, log = run(base)
    assert code == 0, log
    assert not (base / "output" / "failure").exists()
    assert f"resumed at {resumed}" in log
    assert metrics(log) == metrics(whole[1])[1:]
    assert (base / "model" / "model.safetensors").read_bytes() == (
        whole[0] / "model" / "model.safetensors"
    ).read_bytes()


@pytest.mark.parametrize(
    ("hyperparameters", "message"),
    [
        ({"epochs": "many"}, "InvalidHyperparameter: epochs=many: allowed is a whole number from 1 to 10000"),
        ({"weights": "pretrained"}, "UnusableWeights: weights=pretrained needs one .safetensors or .pth"),
    ],
)
def test_a_users_mistake_is_one_message_without_a_traceback(
    hyperparameters: dict[str, str], message: str, pictures: Path, tmp_path: Path
) -> None:
    base = job_folder(tmp_path / "base", pictures, TINY | hyperparameters)
    code, log = run(base)
    assert code == 1
    assert "Traceback" not in log
    assert (base / "output" / "failure").read_text().startswith(message)
    assert not (base / "model").exists()


def test_a_fault_of_the_program_keeps_its_traceback(pictures: Path, tmp_path: Path) -> None:
    trial = {"epochs": "1", "trainable_from": "fc", "_tuning_objective_metric": "valid_accuracy"}
    base = job_folder(tmp_path / "base", pictures, TINY | trial)
    (base / "model").write_text("in the way")
    code, log = run(base)
    assert code == 1
    assert "Traceback" in log
    assert "the training code failed: FileExistsError" in (base / "output" / "failure").read_text()


def test_a_job_without_its_code_says_which_channel_it_misses(tmp_path: Path) -> None:
    code, log = run(tmp_path)
    assert code == 1
    assert "the channel 'code' holds no training_code" in log
    assert "channel 'code'" in (tmp_path / "output" / "failure").read_text()


def test_which_package_is_run_says_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (entrypoint.PACKAGE, *entrypoint.PACKAGES) == (
        *(jobs.PACKAGE, jobs.TRAINING_PACKAGE, jobs.DOCTOR_PACKAGE, jobs.BATCH_PACKAGE),
        jobs.RACE_PACKAGE,
    )
    code = tmp_path / "input" / "data" / "code"
    for package in (jobs.TRAINING_PACKAGE, jobs.DOCTOR_PACKAGE, "elsewhere"):
        (code / package).mkdir(parents=True)
        (code / package / "__init__.py").touch()
        (code / package / "__main__.py").write_text(f"print('this is {package}')")
    (code / "contract").symlink_to(Path(jobs.__file__).parent)
    assert run(tmp_path) == (0, "this is training_code\n")
    monkeypatch.setenv(jobs.PACKAGE, jobs.DOCTOR_PACKAGE)
    assert run(tmp_path) == (0, "this is doctor\n")
    (code / jobs.DOCTOR_PACKAGE / "__main__.py").unlink()
    assert "the channel 'code' holds no doctor/__main__.py" in run(tmp_path)[1]
    monkeypatch.setenv(jobs.PACKAGE, "elsewhere")
    status, log = run(tmp_path)
    assert status == 1
    assert "JOB_PACKAGE='elsewhere' has to be training_code or doctor or batch" in log
    assert "JOB_PACKAGE" in (tmp_path / "output" / "failure").read_text()


@pytest.mark.parametrize("arguments", [("serve",), ("train", "now")])
def test_the_image_only_trains(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, log = run(tmp_path, *arguments)
    assert code == 1
    assert "start it with the argument 'train'" in log


IMPORTS = """
import os, sys
class Tell:
    def find_spec(name, path=None, target=None):
        with open({told!r}, "a") as file:
            file.write(f"{{os.getpid()}} {{name}}\\n")
sys.meta_path.insert(0, Tell)
"""
"""Read by every Python process that finds it as `sitecustomize`: what it looks for to import."""

Imports = dict[str, set[str]]


def imports(base: Path) -> Imports:
    """Run the job; what each of its processes looked for to import."""
    told = base / "imports"
    (base / "input" / "data" / "code" / "sitecustomize.py").write_text(IMPORTS.format(told=str(told)))
    code, log = run(base)
    assert code == 0, log
    found: Imports = {}
    for line in told.read_text().splitlines():
        process, module = line.split()
        found.setdefault(process, set()).add(module)
    return found


@pytest.fixture(scope="module")
def plain(whole: tuple[Path, str], pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Imports:
    """What a job without debugging imports that starts from given weights."""
    asked = TINY | {"epochs": "1", "trainable_from": "fc", "weights": "pretrained"}
    base = job_folder(tmp_path_factory.mktemp("plain") / "base", pictures, asked)
    (base / "input" / "data" / "pretrained").symlink_to(whole[0] / "model")
    return imports(base)


@pytest.fixture(scope="module")
def profiled(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Imports:
    """What a profiled one imports."""
    asked = TINY | {"epochs": "1", "trainable_from": "fc", "profile": "on"}
    return imports(job_folder(tmp_path_factory.mktemp("profiled") / "base", pictures, asked))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU's reproducible mode imports the compiler")
def test_a_whole_job_imports_neither_torchvision_nor_the_compiler(plain: Imports) -> None:
    (modules,) = plain.values()
    assert {"torch", "training_code.training.loop", "openvino"} <= modules, (
        "it trained, and wrote its serving form"
    )
    assert not modules & {"torchvision", "torch._dynamo", "sympy", "pandas", "smdebug", "psutil"}


@pytest.mark.parametrize(("watched", "processes"), [("plain", 1), ("profiled", 3)])
def test_neither_smdebug_nor_its_old_protobuf_is_imported_unless_debugging_is_on(
    watched: str, processes: int, request: pytest.FixtureRequest
) -> None:
    """smdebug forbids every protobuf without known faults, so only who asks for its rules has it: not the
    training process, nor one that it starts.
    """
    found: Imports = request.getfixturevalue(watched)
    assert len(found) == processes, "of a profiled job the rules and the sampler too"
    modules = set().union(*found.values())
    assert not {name for name in modules if name.startswith(("smdebug", "google"))}
