"""The systems that the accuracy benchmark compares: how each is installed, told what to train, and asked.

All start from the same weights and see the same pictures, at the same size, equally often, in steps of as
many. The rest is each system's own: what fastai and our recipes choose by themselves, what timm's
documentation of fine-tuning takes, and the course loop's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.accuracy_sets import ALL_LAYERS, ARCH, HEAD_ALONE, PictureSet
from benchmarks.harness import ROOT, give, job_folder
from benchmarks.processes import run, run_command
from contract.evaluation import FILE
from contract.jobs import PRETRAINED

PEERS: Final = ROOT / ".local" / "peers" / "accuracy"
SOURCES: Final = ROOT / "benchmarks" / "peers"
PACKAGES: Final = (
    *("fastai==2.8.12", "fastcore==2.2.41", "fastprogress==1.1.6", "fasttransform==0.0.5"),
    *("fastdownload", "plum-dispatch", "beartype", "python-fasthtml", "itsdangerous", "python-multipart"),
    *("matplotlib", "contourpy", "cycler", "fonttools", "kiwisolver", "pyparsing"),
)
"""What fastai needs beside the packages of this project."""
TIMM_TRAIN: Final = "https://raw.githubusercontent.com/huggingface/pytorch-image-models/v{version}/train.py"
"""timm's script is in its repository and in none of its packages."""
_FINE_TUNING: Final = (
    *("--opt", "adamw", "--lr", "5e-4", "--weight-decay", "0.05"),
    *("--warmup-epochs", "1", "--sched-on-updates"),
)
"""AdamW, a low rate and a warm-up: its defaults are made for training from scratch."""


class CannotRun(Exception):
    """A system cannot run on this machine; the message says why."""


@dataclass(frozen=True)
class Work:
    """One training: the pictures, the weights in both forms, the seed, and an empty folder."""

    of: PictureSet
    pictures: Path
    published: Path
    by_name: Path
    seed: int
    folder: Path


@dataclass(frozen=True)
class Result:
    """Whether each test picture is answered rightly, in order, and what the training took.

    The seconds are those of the whole process, with a look at the validation split after each epoch, as all
    have. A peer's test is taken off; ours is in them.
    """

    right: list[bool]
    seconds: float
    cpu_seconds: float
    peak_mb: float


def ours(work: Work) -> Result:
    """A training job by the recipe, told what a search's trial is: no serving form is made of it."""
    return _our_job(work, work.of.recipe)


def our_other_recipe(work: Work) -> Result:
    """The same by the other recipe: all layers where the set's trains the head alone, or the head alone."""
    return _our_job(work, HEAD_ALONE if work.of.recipe == ALL_LAYERS else ALL_LAYERS)


def _our_job(work: Work, recipe: str) -> Result:
    values = work.of.hyperparameters(work.seed, recipe)
    base = job_folder(work.folder / "job", work.pictures, **values, _tuning_objective_metric="valid_accuracy")
    give(base, PRETRAINED, "lite0.pth", work.published)
    ran = run("benchmarks.training_job", SAGEMAKER_BASE_DIR=str(base), TRAINING_JOB_NAME="accuracy")
    told = json.loads((base / "output" / "data" / FILE).read_text(encoding="utf-8"))["test"]
    right = [said == label for said, label in zip(told["predicted"], told["labels"], strict=True)]
    return Result(right, ran.seconds, ran.cpu_seconds, ran.peak_mb)


def fastai(work: Work) -> Result:
    """`fine_tune` of its `vision_learner`."""
    ran = run_command(
        [
            str(_peers()),
            str(SOURCES / "accuracy_fastai.py"),
            str(work.pictures),
            *("--weights", str(work.by_name), "--arch", ARCH, "--size", str(work.of.size)),
            *("--epochs", str(work.of.epochs), "--batch-size", str(work.of.batch_size)),
            *("--seed", str(work.seed)),
            *(() if work.of.mirrored else ("--no-flip",)),
        ],
        PYTHONPATH="",
    )
    return Result(ran.last["right"], ran.seconds - ran.last["test_seconds"], ran.cpu_seconds, ran.peak_mb)


def timm(work: Work) -> Result:
    """timm's `train.py`; its best checkpoint is asked of the test pictures by another process."""
    classes = len(list((work.pictures / "train").iterdir()))
    python = str(_peers())
    ran = run_command(
        [
            *(python, str(timm_script()), str(work.pictures), "--val-split", "valid", "--device", "cpu"),
            *("--model", ARCH, "--pretrained", "--pretrained-path", str(work.by_name)),
            *("--num-classes", str(classes), "--img-size", str(work.of.size)),
            *("--epochs", str(work.of.epochs), "--batch-size", str(work.of.batch_size)),
            *("--workers", "2", "--seed", str(work.seed), *_FINE_TUNING),
            *("--hflip", "0.5" if work.of.mirrored else "0"),
            *("--output", str(work.folder), "--experiment", "timm", "--checkpoint-hist", "1"),
        ],
        PYTHONPATH="",
    )
    asked = run_command(
        [
            *(python, str(SOURCES / "accuracy_timm.py"), str(work.pictures), "--arch", ARCH),
            *("--size", str(work.of.size)),
            *("--checkpoint", str(work.folder / "timm" / "model_best.pth.tar")),
        ],
        PYTHONPATH="",
    )
    return Result(asked.last["right"], ran.seconds, ran.cpu_seconds, ran.peak_mb)


def course_loop(work: Work) -> Result:
    """The loop of course projects: a new head on frozen layers, which are run forward in every epoch."""
    ran = run(
        "benchmarks.course_loop",
        str(work.pictures),
        *("--arch", ARCH, "--weights", str(work.by_name), "--trainable-from", "head", "--test"),
        *("--size", str(work.of.size), "--epochs", str(work.of.epochs)),
        *("--batch-size", str(work.of.batch_size), "--seed", str(work.seed)),
    )
    return Result(ran.last["right"], ran.seconds - ran.last["test_seconds"], ran.cpu_seconds, ran.peak_mb)


OURS: Final = "ours"
OTHER: Final = "our other recipe"
SYSTEMS: Final[dict[str, Callable[[Work], Result]]] = {
    OURS: ours,
    OTHER: our_other_recipe,
    "fastai": fastai,
    "timm": timm,
    "course loop": course_loop,
}
PEER_NAMES: Final = ("fastai", "timm", "course loop")


def timm_script() -> Path:
    """timm's `train.py`: the one that TIMM_TRAIN names, or that of the installed version, fetched once.

    Raises:
        CannotRun: it is not there, and cannot be fetched.
    """
    if named := os.environ.get("TIMM_TRAIN"):
        if not Path(named).is_file():
            raise CannotRun(f"TIMM_TRAIN={named} is no file: it has to be train.py of timm's repository")
        return Path(named)
    path = PEERS / f"timm-{version('timm')}-train.py"
    if not path.exists():
        address = TIMM_TRAIN.format(version=version("timm"))
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                content = answer.read()
        except OSError as error:
            raise CannotRun(
                f"timm's train.py cannot be fetched from {address} ({error}): name a copy with TIMM_TRAIN"
            ) from None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return path


def _peers() -> Path:
    """The peers' interpreter: an environment that sees this one's packages, and has fastai beside.

    Raises:
        CannotRun: the installation failed.
    """
    folder = PEERS / "environment"
    python, done = folder / "bin" / "python", folder / "installed"
    if done.exists() and done.read_text() == " ".join(PACKAGES):
        return python
    uv = str(Path(sys.executable).with_name("uv"))
    commands = (
        ["venv", "--quiet", "--clear", "--python", sys.executable, str(folder)],
        ["pip", "install", "--quiet", "--compile-bytecode", "--no-deps", "--python", str(python), *PACKAGES],
    )
    for arguments in commands:
        made = subprocess.run([uv, *arguments], capture_output=True, text=True, check=False)
        if made.returncode:
            raise CannotRun(f"the peers cannot be installed: {made.stderr.strip()[-500:]}")
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "project.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    done.write_text(" ".join(PACKAGES))
    return python
