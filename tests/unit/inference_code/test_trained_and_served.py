"""A whole training job on photos with odd tags, and its model behind SageMaker's functions."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from inference_code import inference
from tests.unit.inference_code.odd_pictures import LYING, SAYS_SIX, jpeg, segment
from tests.unit.training_code.samples import TINY, job_folder
from training_code import entrypoint

COUNTS = {"train": 28, "valid": 30, "test": 30}
WAYS = ("negative resolution", "resolution as text", "directory outside of the file")


def photo(label: str, seed: int) -> bytes:
    """A bar, upright or lying as its class says, stored turned under tags that cannot be written back."""
    chance = random.Random(f"{label}{seed}")
    picture = Image.new("RGB", (48, 48), tuple(chance.randrange(70) for _ in range(3)))
    at, bright = chance.randrange(4, 36), tuple(chance.randrange(180, 256) for _ in range(3))
    picture.paste(bright, (at, 0, at + 8, 48) if label == "upright" else (0, at, 48, at + 8))
    return jpeg(picture.transpose(LYING), segment(0xE1, b"Exif\0\0" + SAYS_SIX[WAYS[seed % len(WAYS)]]))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("photos")
    for start, (split, count) in enumerate(COUNTS.items()):
        for label in ("lying", "upright"):
            folder = root / split / label
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"{number}.jpg").write_bytes(photo(label, 100 * start + number))
    return root


def test_a_model_trained_on_photos_with_odd_tags_is_as_right_through_the_api(
    photos: Path, tmp_path: Path
) -> None:
    values = TINY | {"epochs": "16", "augment": "none", "dataset": "photos", "run": "r"}
    base = job_folder(tmp_path / "base", photos, values)
    environment = os.environ | {
        "SAGEMAKER_BASE_DIR": str(base),
        "TRAINING_JOB_NAME": "p-photos-1",
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(base / "input" / "data" / "code"),
    }
    job = subprocess.run([sys.executable, entrypoint.__file__, "train"], env=environment, capture_output=True)
    assert job.returncode == 0, job.stdout.decode() + job.stderr.decode()
    evaluation = json.loads((base / "output" / "data" / "evaluation.json").read_text())
    trained = evaluation["test"]["accuracy"]
    # Sideways it would be one half. After half the epochs the rounding of floats decides: 54 to 60 of 60.
    assert trained > 0.95

    model = inference.model_fn(str(base / "model"))
    right, answers = 0, []
    for label in ("lying", "upright"):
        for path in (photos / "test" / label).iterdir():
            query = inference.input_fn(path.read_bytes(), "image/jpeg")
            answers.append(inference.predict_fn(query, model))
            right += answers[-1]["predicted_class"] == label
    pictures = 2 * COUNTS["test"]
    assert abs(right - trained * pictures) <= 1

    kept = evaluation["calibration"]["forms"]["openvino"]["test"]
    assert kept["count"] == pictures
    assert abs(sum(each["certain"] for each in answers) - kept["certain"]) <= 1
    assert abs(sum(each["unlike_training"] for each in answers) - kept["unlike"]) <= 1
    told, bins = evaluation["test"]["confidence"], [0] * 10
    for each in answers:
        bins[min(int(each["confidence"] * 10), 9)] += 1
    assert sum(abs(one - other) for one, other in zip(bins, told, strict=True)) <= 4
    assert kept["before"]["bins"] != kept["after"]["bins"], "or nothing was set right"
