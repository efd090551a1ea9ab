"""What only a GPU can show, in one command of under eight minutes: `make gpu-check`.

    make gpu-check                  on a machine with a GPU; scaled down, and saying so, on one without
    OUT=folder make gpu-check       gpu_check.json and gpu_check.txt go there, not to benchmarks/results

training   ResNet-50 and a modern backbone on pictures, in turns with the same step on tensors that lie in the
           GPU's memory already; what a step takes of that memory.
resume     a training with AdamW that is stopped in the middle of an epoch and taken up from its checkpoint,
           against the same one in one piece: equal to the bit, or no further from it than two in one piece
           are from each other.
serving    a whole training job, and its model served by the container's server on PyTorch (on a GPU:
           bfloat16, CUDA graphs), against plain eager PyTorch in float32: the same answers, and how long
           each takes.

Pictures are made here; nothing is downloaded. Each part is a process of its own. One that fails is told and
the others go on; the exit code is 1 if one failed or what it claims does not hold.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks import harness
from benchmarks.gpu_check_pictures import make
from benchmarks.harness import Row
from benchmarks.processes import Ran, run

NAME: Final = "gpu_check"
MOST_SECONDS: Final = 480
AGREEMENT: Final = 0.98
"""Of the pictures so many have to get PyTorch's class: bfloat16 may turn a picture that is on the edge."""


@dataclass(frozen=True)
class Scale:
    """How much is done."""

    image_size: int
    pictures: int
    """Of the train split; a quarter each in valid and test."""
    batch_size: int
    steps: int
    """In each turn of the training part."""
    arch: str
    """Of the parts resume and serving."""
    seconds: float
    """Of each window of the serving part."""


ON_GPU: Final = Scale(224, 2048, 128, 40, "resnet50", 3.0)
ON_CPU: Final = Scale(64, 128, 16, 2, "resnet18", 0.5)
ARCHS: Final = ("resnet50", "modern")


def training(data: Path, scratch: Path, scale: Scale) -> tuple[list[Row], dict[str, Any]]:
    """Both networks, ours and the step alone."""
    rows: list[Row] = []
    fractions: dict[str, float] = {}
    for arch in ARCHS:
        ran = _part("benchmarks.gpu_check_training", data, arch, scale)
        told = ran.last
        for system in ("ours", "synthetic"):
            rows.append(
                {
                    "system": system,
                    "network": told["network"],
                    "images_per_second": told[system],
                    "step_ms": 1000 * told["batch_size"] / told[system],
                    "gpu_mb": told["gpu_mb"],
                    "process_mb": ran.peak_mb,
                }
            )
        fractions[told["network"]] = told["ours"] / told["synthetic"]
    return rows, {f"fraction_of_synthetic_{name}": value for name, value in fractions.items()}


def resume(data: Path, scratch: Path, scale: Scale) -> tuple[list[Row], dict[str, Any]]:
    """Stopped and taken up against in one piece."""
    told = _part("benchmarks.gpu_check_resume", data, str(scratch), scale).last
    row = {"system": "ours", "work": f"{scale.arch}, AdamW, stopped at step {told['stopped_at']}", **told}
    return [row], {
        "resume_equal_to_the_bit": told["resumed"] == 0,
        "resume_holds": told["resumed"] <= told["straight_twice"],
    }


def serving(data: Path, scratch: Path, scale: Scale) -> tuple[list[Row], dict[str, Any]]:
    """The server on PyTorch against PyTorch."""
    told = _part("benchmarks.gpu_check_serving", data, str(scratch), scale).last
    server, eager = told["server"], told["eager"]
    return [{"system": "ours, PyTorch", **server}, {"system": "eager PyTorch", **eager}], {
        "serving_agreement": told["agreement"],
        "serving_largest_difference": told["largest_difference"],
        "serving_precision": told["precision"],
        "serving_holds": told["agreement"] >= AGREEMENT and server["errors"] == 0,
        "serving_p50_vs_eager": server["p50_1"] / eager["p50_1"],
    }


PARTS: Final[dict[str, Callable[[Path, Path, Scale], tuple[list[Row], dict[str, Any]]]]] = {
    "training": training,
    "resume": resume,
    "serving": serving,
}


def device() -> dict[str, Any]:
    """What it was measured on."""
    if not torch.cuda.is_available():
        return {"device": "CPU only: no CUDA, scaled down, so no figure here is of a GPU"}
    properties = torch.cuda.get_device_properties(0)
    return {
        "device": torch.cuda.get_device_name(0),
        "gpu_memory_mb": properties.total_memory // 2**20,
        "capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
    }


def main() -> int:
    """Do all parts and publish them; 1 if one failed or does not hold."""
    start = time.perf_counter()
    scale = ON_GPU if torch.cuda.is_available() else ON_CPU
    rows: list[Row] = []
    summary: dict[str, Any] = device() | {"scale": json.dumps(asdict(scale))}
    print(summary["device"], flush=True)
    with tempfile.TemporaryDirectory(prefix="gpu-check-") as scratch:
        data = make(Path(scratch) / "pictures", scale.pictures, scale.image_size)
        for name, part in PARTS.items():
            began = time.perf_counter()
            folder = Path(scratch) / name
            folder.mkdir()
            try:
                found, figures = part(data, folder, scale)
            except (SystemExit, ValueError, KeyError) as error:  # its process failed, or told nothing
                found, figures = [], {f"{name}_holds": False, f"{name}_failed": str(error)[-2000:]}
            rows += [{"part": name, **row} for row in found]
            summary |= figures | {f"{name}_seconds": time.perf_counter() - began}
    summary["seconds"] = time.perf_counter() - start
    summary["within_eight_minutes"] = summary["seconds"] < MOST_SECONDS
    _publish(rows, summary)
    return 0 if all(value for key, value in summary.items() if key.endswith("_holds")) else 1


def _publish(rows: list[Row], summary: dict[str, Any]) -> None:
    folder = Path(os.environ.get("OUT") or harness.RESULTS)
    folder.mkdir(parents=True, exist_ok=True)
    path = harness.publish(NAME, rows, summary, folder)
    with path.with_suffix(".txt").open("w", encoding="utf-8") as text, redirect_stdout(text):
        harness.show(rows, summary)


def _part(module: str, data: Path, what: str, scale: Scale) -> Ran:
    return run(module, str(data), what, json.dumps(asdict(scale)))


if __name__ == "__main__":
    sys.exit(main())
