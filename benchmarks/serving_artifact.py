"""The model that the serving benchmarks serve: an artifact by the real training code."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.harness import ROOT, give, job_folder
from contract.jobs import PRETRAINED


def trained(
    base: Path,
    data: Path,
    arch: str,
    epochs: int,
    output: int | None = None,
    image_size: int = 224,
    weights: Path | None = None,
) -> Path:
    """Train for a few epochs, in the layout of SageMaker's containers.

    Args:
        base: a folder for the job, which may have begun here before.
        data: folders train, valid and test of class folders.
        arch: as `training_code` names it.
        epochs: of the training.
        output: where the job writes its lines, as `subprocess` names it; None shows them.
        image_size: side of the network's input, in pixels.
        weights: a file that the network starts from; only its head is trained then. None: fresh ones.

    Returns:
        The model folder.
    """
    told = {"arch": arch, "epochs": epochs, "batch_size": 8, "image_size": image_size}
    if weights is not None:
        told |= {"weights": "pretrained", "trainable_from": "head"}
    job_folder(base, data, **told)
    if weights is not None:
        give(base, PRETRAINED, weights.name, weights)
    environment = os.environ | {"SAGEMAKER_BASE_DIR": str(base), "TRAINING_JOB_NAME": f"bench-{arch}"}
    command = [sys.executable, "-m", "training_code"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=output)
    return base / "model"
