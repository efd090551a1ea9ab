"""The doctor looks at a data set where it lies, and what was decided becomes a new version."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from contract.datasets import store
from tests.system.conftest import LOCAL_SETTINGS, PROJECT, Deployment, deploying

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]

NAME = "planted"


def picture(label: str, seed: int) -> Image.Image:
    """Discs or bars, each of another place, size and colours, among blots that no other picture has."""
    rng = random.Random(f"{label}{seed}")
    shades = [tuple(rng.randrange(low, low + 90) for _ in range(3)) for low in (0, 160)]
    image = Image.new("RGB", (64, 64), shades[0])
    draw = ImageDraw.Draw(image)
    for _ in range(12):
        left, top = rng.randrange(60), rng.randrange(60)
        blot = tuple(rng.randrange(40, 200) for _ in range(3))
        draw.rectangle((left, top, left + rng.randrange(3, 9), top + rng.randrange(3, 9)), fill=blot)
    x, y, size = rng.randrange(8, 30), rng.randrange(8, 30), rng.randrange(14, 26)
    if label == "disc":
        draw.ellipse((x, y, x + size, y + size), fill=shades[1])
    else:
        draw.rectangle((0, y, 63, y + size // 3), fill=shades[1])
    for _ in range(60):
        draw.point((rng.randrange(64), rng.randrange(64)), fill=shades[1])
    return image


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deploying("local", tmp_path_factory.mktemp("doctor"), LOCAL_SETTINGS) as deployed:
        yield deployed


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder of two classes, and which of its training pictures is a recompressed one of the test split."""
    folder = tmp_path_factory.mktemp("pictures") / NAME
    for label in ("disc", "bar"):
        for split, numbers in (("train", range(24)), ("valid", range(24, 32)), ("test", range(32, 40))):
            place = folder / split / label
            place.mkdir(parents=True)
            for number in numbers:
                picture(label, number).save(place / f"{number}.png")
    picture("disc", 35).save(folder / "train" / "disc" / "copy.jpg", quality=60)
    return folder, "train/disc/copy.jpg"


def test_a_data_set_is_looked_at_where_it_lies_and_its_decisions_apply(
    deployment: Deployment, planted: tuple[Path, str], tmp_path: Path
) -> None:
    folder, copy = planted
    deployment.cli("upload", str(folder), "--dataset", NAME, "--yes")
    done = deployment.cli("doctor", "--dataset", NAME, "--out", str(tmp_path / "found"), "--yes")
    assert "pictures in two splits" in done.stdout
    findings = json.loads((tmp_path / "found" / "findings.json").read_text())
    assert findings["dataset"] == f"{NAME}@1"
    assert findings["statistics"]["readable"] == 81
    assert "<html" in (tmp_path / "found" / "doctor.html").read_text()
    with (tmp_path / "found" / "decisions.csv").open(newline="") as file:
        drops = {row["picture"] for row in csv.DictReader(file) if row["action"] == "drop"}
    assert drops == {copy}

    decisions = str(tmp_path / "found" / "decisions.csv")
    deployment.cli("upload", str(folder), "--dataset", NAME, "--decisions", decisions, "--yes")
    version = store.newest(deployment.client("s3"), deployment.outputs["data_bucket"], NAME)
    assert version is not None
    assert (version.number, version.pictures) == (2, 80)


def test_nothing_follows_a_job_of_the_doctor(deployment: Deployment) -> None:
    sagemaker = deployment.client("sagemaker")
    jobs = sagemaker.list_training_jobs(NameContains=f"{PROJECT}-doctor-")["TrainingJobSummaries"]
    assert [each["TrainingJobStatus"] for each in jobs] == ["Completed"]
    assert not sagemaker.list_model_packages(ModelPackageGroupName=PROJECT)["ModelPackageSummaryList"]
