"""A network by the project's own training job, and what the form that it wrote says of all pictures."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_sets import SETS, of_recipe, weights
from benchmarks.harness import ROOT, give, job_folder
from contract.answers import appearance
from contract.jobs import PRETRAINED
from contract.pictures.file import decode
from inference_code.model import artifact, openvino_form

Said = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Scores, features, and what the pictures look like."""


def trained(
    scratch: Path, name: str, all_sets: Path, seed: int, left_out: int, far: Sequence[Path]
) -> tuple[list[Said], dict[str, NDArray[np.int64]], int]:
    """Train without some of the classes, and ask of training, validation and test pictures of all; then of
    pictures that are `far` from them.

    Args:
        name: `digits`, from fresh weights by the recipe for them, or `cifar10`, all of EfficientNet-Lite0
            from ImageNet's.
        all_sets: the folder of picture sets.

    Returns:
        What is said of each part and of what is far, the labels of `references`, `valid` and `test` (-1: left
        out), and how many classes were learnt.
    """
    digits = name == "digits"
    of = SETS[name]
    data = of.laid_out(all_sets, scratch)
    names = sorted(path.name for path in (data / "train").iterdir())
    unknown = random.Random(seed).sample(names, left_out)
    aside = scratch / "aside"
    for split in ("train", "valid", "test"):
        for each in unknown:
            (aside / split).mkdir(parents=True, exist_ok=True)
            shutil.move(data / split / each, aside / split / each)
    values = of_recipe("digits") | {"seed": seed} if digits else of.hyperparameters(seed)
    job = job_folder(scratch / "job", data, **values)
    if not digits:
        give(job, PRETRAINED, "lite0.pth", weights(scratch)[0])
    environment = os.environ | {"SAGEMAKER_BASE_DIR": str(job), "TRAINING_JOB_NAME": "bench-confidence"}
    subprocess.run(
        [sys.executable, "-m", "training_code"],
        cwd=ROOT,
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    source = artifact.read(job / "model")
    assert source.graph is not None
    network = openvino_form.load(source, source.graph)
    known = [each for each in names if each not in unknown]
    said: list[Said] = []
    labels: dict[str, NDArray[np.int64]] = {}
    for part, split in (("references", "train"), ("valid", "valid"), ("test", "test")):
        paths, truth = [], []
        for folder in sorted([*(data / split).iterdir(), *(aside / split).glob("*")]):
            for path in sorted(folder.iterdir()):
                paths.append(path)
                truth.append(known.index(folder.name) if folder.name in known else -1)
        said.append(_asked(source, network, paths, len(known)))
        labels[part] = np.array(truth)
    said.append(_asked(source, network, far, len(known)))
    return said, labels, len(known)


def _asked(
    source: artifact.Artifact, network: openvino_form.Network, paths: Sequence[Path], classes: int
) -> Said:
    rows, looks = [], []
    for path in paths:
        pixels = source.transform.pixels(decode(path.read_bytes(), source.transform.enough))
        looks.append(appearance.described(pixels))
        opaque = np.concatenate([pixels, np.full_like(pixels[..., :1], 255)], 2)
        rows.append(network(opaque, True).result())
    found = np.stack(rows)
    return found[:, :classes], found[:, classes:], np.stack(looks)
