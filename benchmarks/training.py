"""How fast training and tuning are, against the loop that course projects use and torchvision's recipe.

    make bench NAME=training                                     everything, about 15 minutes on two cores
    make bench NAME=training ARGS="tuning finetune"              some of: tuning finetune limit memory

DATA or `--data` names a folder with train, valid and test. The parts' rows are kept in
benchmarks/results/training.parts/, so that parts run one by one make one result.
tuning     the work of the recipe dogs-resnet18-cpu: four jobs of the same hyperparameters, `layer4` and `fc`
           trained, for us and for the course loop. Ours are whole jobs with one new feature cache.
finetune   one epoch of all layers on five pictures of each class, three seeds; and torchvision's recipe.
limit      the steady training throughput against the same step on tensors that lie in memory.
memory     the peak of a process that decodes and trains on 1, 4 and 16 times the pictures.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks import harness
from benchmarks.harness import Row
from benchmarks.processes import Ran, run

PARTS: Final = ("tuning", "finetune", "limit", "memory")
_KEPT: Final = harness.RESULTS / "training.parts"

_JOBS: Final = (
    {"learning_rate": 0.001, "batch_size": 64, "epochs": 2},
    {"learning_rate": 0.01, "batch_size": 64, "epochs": 2},
    {"learning_rate": 0.003, "batch_size": 128, "epochs": 2},
    {"learning_rate": 0.01, "batch_size": 128, "epochs": 2},
)
_SEEDS: Final = (0, 1, 2)
_FACTORS: Final = (1, 4, 16)


def job(base: Path, data: Path, **hyperparameters: object) -> Ran:
    """One of our training jobs, as SageMaker lays it out and starts it."""
    harness.job_folder(base, data, **hyperparameters)
    if hyperparameters.get("weights") == "pretrained":
        (base / "input" / "data" / "pretrained").symlink_to(data.parent / "weights")
    return run("benchmarks.training_job", SAGEMAKER_BASE_DIR=str(base), TRAINING_JOB_NAME=base.name)


def epochs_of(ran: Ran) -> list[dict[str, float]]:
    """Our job's epoch lines, as numbers."""
    lines = re.findall(r"^epoch=.*$", ran.output, re.MULTILINE)
    return [{key: float(value) for key, value in re.findall(r"(\w+)=([0-9.e+-]+)", line)} for line in lines]


def tuning(data: Path, scratch: Path) -> tuple[list[Row], dict[str, float]]:
    """Four trials of one search, ours and the course loop's, each with the whole machine for itself."""
    weights = starting_weights(scratch, len(list((data / "train").iterdir())))
    linked = scratch / "dogs"
    linked.symlink_to(data.resolve())
    rows: list[Row] = []
    for number, each in enumerate(_JOBS):
        ran = job(
            scratch / f"trial-{number}",
            linked,
            **each,
            arch="resnet18",
            weights="pretrained",
            trainable_from="layer4",
            augment="flip",
            optimizer="sgd",
            momentum=0.9,
            weight_decay=0,
            schedule="constant",
            objective="valid_loss",
            feature_cache=scratch / "features",
            _tuning_objective_metric="valid_loss",
        )
        rows.append(_tuning_row("ours", each, ran, epochs_of(ran)))
    for each in _JOBS:
        ran = run(
            "benchmarks.course_loop",
            str(data),
            "--trainable-from=layer4",
            f"--weights={weights}",
            *(f"--{key.replace('_', '-')}={value}" for key, value in each.items()),
        )
        rows.append(_tuning_row("course loop", each, ran, ran.last["epochs"]))
    return rows, {
        "tuning_speedup_vs_course_loop": _ratio(rows, "seconds"),
        "tuning_cpu_speedup_vs_course_loop": _ratio(rows, "cpu_seconds"),
        "tuning_best_valid_loss_ours": min(_column(rows, "ours", "valid_loss")),
        "tuning_best_valid_loss_course_loop": min(_column(rows, "course loop", "valid_loss")),
    }


def _tuning_row(system: str, each: dict[str, Any], ran: Ran, epochs: Sequence[dict[str, float]]) -> Row:
    return {
        "system": system,
        "work": "tuning trial",
        **each,
        "seconds": ran.seconds,
        "cpu_seconds": ran.cpu_seconds,
        "valid_loss": min(epoch["valid_loss"] for epoch in epochs),
        "valid_accuracy": max(epoch["valid_accuracy"] for epoch in epochs),
    }


def starting_weights(scratch: Path, classes: int) -> Path:
    """One set of random weights for everybody: torchvision's initialisation. Ours take all but the head."""
    import torch
    import torchvision

    torch.manual_seed(0)
    state = torchvision.models.resnet18(num_classes=classes).state_dict()
    (scratch / "weights").mkdir()
    path = scratch / "weights" / "resnet18.pth"
    torch.save(state, path)
    return path


def finetune(data: Path, scratch: Path) -> tuple[list[Row], dict[str, float]]:
    """One epoch of all layers on some of the pictures, with its validation."""
    part = subset(data, scratch / "part", {"train": 5, "valid": 3, "test": 1})
    rows: list[Row] = []
    for seed in _SEEDS:
        ran = job(
            scratch / f"all-layers-{seed}",
            part,
            epochs=1,
            batch_size=64,
            learning_rate=0.01,
            weight_decay=0,
            schedule="constant",
            augment="flip",
            seed=seed,
            _tuning_objective_metric="valid_accuracy",
        )
        seconds = re.findall(r"\(([0-9.]+) s, ", ran.output)[0]
        rows.append(_finetune_row("ours", seed, float(seconds), ran, epochs_of(ran)[0]))
        ran = run("benchmarks.course_loop", str(part), f"--seed={seed}")
        epoch = ran.last["epochs"][0]
        rows.append(_finetune_row("course loop", seed, epoch["epoch_seconds"], ran, epoch))
    ran = run("benchmarks.torchvision_recipe", str(part))
    epoch = ran.last["epochs"][0]
    rows.append(_finetune_row("torchvision recipe", 0, epoch["epoch_seconds"], ran, epoch))
    ours, course = (
        statistics.median(_column(rows, name, "epoch_seconds")) for name in ("ours", "course loop")
    )
    reference = _column(rows, "torchvision recipe", "epoch_seconds")[0]
    return rows, {
        "full_finetune_speedup": course / ours,
        "full_finetune_speedup_vs_torchvision_recipe": reference / ours,
        "full_finetune_cpu_speedup": _ratio(rows, "cpu_seconds"),
        "full_finetune_valid_loss_ours": statistics.mean(_column(rows, "ours", "valid_loss")),
        "full_finetune_valid_loss_course_loop": statistics.mean(_column(rows, "course loop", "valid_loss")),
    }


def _finetune_row(system: str, seed: int, seconds: float, ran: Ran, epoch: dict[str, float]) -> Row:
    return {
        "system": system,
        "work": "epoch of all layers, with validation",
        "seed": seed,
        "epoch_seconds": seconds,
        "cpu_seconds": ran.cpu_seconds,
        "train_loss": epoch["train_loss"],
        "valid_loss": epoch["valid_loss"],
        "valid_accuracy": epoch["valid_accuracy"],
    }


def subset(data: Path, folder: Path, most: dict[str, int]) -> Path:
    """The first few pictures of every class, linked."""
    for split, count in most.items():
        for label in sorted((data / split).iterdir()):
            (folder / split / label.name).mkdir(parents=True)
            for path in sorted(label.iterdir())[:count]:
                (folder / split / label.name / path.name).symlink_to(path.resolve())
    return folder


def limit(data: Path, scratch: Path) -> tuple[list[Row], dict[str, float]]:
    """Throughput on pictures, and on tensors that are there already, in turns."""
    half = subset(data, scratch / "quarter", {"train": 4, "valid": 1, "test": 1})
    rows: list[Row] = []
    for work, stage in (("all layers", "stem"), ("layer4 and fc on cached features", "layer4")):
        measured = run("benchmarks.training_limit", str(half), stage).last
        for system in ("ours", "synthetic"):
            rows.append({"system": system, "work": work, "images_per_second": measured[system]})
    pairs = zip(
        _column(rows, "ours", "images_per_second"),
        _column(rows, "synthetic", "images_per_second"),
        strict=True,
    )
    return rows, {"fraction_of_synthetic_limit": min(ours / most for ours, most in pairs)}


def memory(data: Path, scratch: Path) -> tuple[list[Row], dict[str, float]]:
    """The peak of decoding and training on copies of the data set."""
    rows: list[Row] = []
    for factor in _FACTORS:
        folder = scratch / f"times-{factor}"
        for split in ("train", "valid", "test"):
            for label in (data / split).iterdir():
                (folder / split / label.name).mkdir(parents=True)
                for path in label.iterdir():
                    for copy in range(factor if split == "train" else 1):
                        (folder / split / label.name / f"{copy}-{path.name}").symlink_to(path.resolve())
        ran = run("benchmarks.training_memory", str(folder))
        rows.append(
            {
                "system": "ours",
                "work": f"{factor} times the pictures",
                "pictures": ran.last["pictures"],
                "peak_mb": ran.peak_mb,
                "seconds": ran.seconds,
            }
        )
    peaks = _column(rows, "ours", "peak_mb")
    return rows, {"memory_growth_at_16_times": max(peaks) / min(peaks) - 1}


def _column(rows: Iterable[Row], system: str, key: str) -> list[float]:
    return [float(row[key] or 0) for row in rows if row["system"] == system and key in row]


def _ratio(rows: Sequence[Row], key: str) -> float:
    return sum(_column(rows, "course loop", key)) / sum(_column(rows, "ours", key))


def main() -> None:
    """Run the parts asked for, and publish all there are."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--data", type=Path, default=os.environ.get("DATA"), help="default: $DATA")
    options = parser.parse_args()
    if not options.data or not (Path(options.data) / "train").is_dir():
        parser.error("name a data set: DATA=folder, with train, valid and test below it")
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    _KEPT.mkdir(parents=True, exist_ok=True)
    for part in options.parts or PARTS:
        scratch = Path(tempfile.mkdtemp(prefix=f"bench-{part}-"))
        try:
            rows, summary = globals()[part](Path(options.data), scratch)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        kept = {"commit": harness.commit(), "rows": rows, "summary": summary}
        (_KEPT / f"{part}.json").write_text(json.dumps(kept))
    found = [json.loads(path.read_text()) for part in PARTS if (path := _KEPT / f"{part}.json").exists()]
    rows = [row for each in found for row in each["rows"]]
    summary = {key: value for each in found for key, value in each["summary"].items()}
    harness.publish("training", rows, summary)


if __name__ == "__main__":
    main()
