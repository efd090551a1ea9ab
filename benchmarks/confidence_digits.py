"""Digits by the project's own training job, and what the form that it wrote says of all pictures."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import ROOT, job_folder
from cli.commands.demo_data import write_digits
from contract.answers import appearance
from contract.pictures.file import decode
from inference_code.model import artifact, openvino_form

Said = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]
"""Scores, features, and what the pictures look like."""


def trained(
    scratch: Path, seed: int, left_out: int, far: Sequence[Path]
) -> tuple[list[Said], dict[str, NDArray[np.int64]], int]:
    """Train without some of the digits, and ask of training, validation and test pictures, all digits; then
    of pictures that are `far` from digits.

    Returns:
        What is said of each of the four, the labels of `references`, `valid` and `test` (-1: left out), and
        how many classes were learnt.
    """
    data = scratch / "digits"
    data.mkdir()
    write_digits(data)
    names = sorted(path.name for path in (data / "train").iterdir())
    unknown = random.Random(seed).sample(names, left_out)
    aside = scratch / "aside"
    for split in ("train", "valid", "test"):
        for name in unknown:
            (aside / split).mkdir(parents=True, exist_ok=True)
            shutil.move(data / split / name, aside / split / name)
    recipe = tomllib.loads((ROOT / "recipes" / "digits.toml").read_text())
    values: dict[str, Any] = {**recipe["model"], **recipe["data"], **recipe["training"]}
    values |= {**recipe.get("final", {}), "seed": seed}
    job = job_folder(scratch / "job", data, **values)
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
    known = [name for name in names if name not in unknown]
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
