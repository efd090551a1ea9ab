"""The model that the serving benchmarks serve: an artifact by the real training code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import ROOT


def trained(
    base: Path, data: Path, arch: str, epochs: int, output: int | None = None, image_size: int = 224
) -> Path:
    """Train for a few epochs, in the layout of SageMaker's containers.

    Args:
        base: a folder for the job, which may have begun here before.
        data: folders train, valid and test of class folders.
        arch: as `training_code` names it.
        epochs: of the training.
        output: where the job writes its lines, as `subprocess` names it; None shows them.
        image_size: side of the network's input, in pixels.

    Returns:
        The model folder.
    """
    config, channels = base / "input" / "config", base / "input" / "data"
    for folder in (config, channels):
        folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "valid", "test"):
        if not (channels / split).exists():
            (channels / split).symlink_to(data.resolve() / split)
    hyperparameters = {"arch": arch, "epochs": str(epochs), "batch_size": "8", "image_size": str(image_size)}
    (config / "hyperparameters.json").write_text(json.dumps(hyperparameters))
    environment = os.environ | {"SAGEMAKER_BASE_DIR": str(base), "TRAINING_JOB_NAME": f"bench-{arch}"}
    command = [sys.executable, "-m", "training_code"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=output)
    return base / "model"
