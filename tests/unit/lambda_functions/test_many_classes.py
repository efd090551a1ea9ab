"""A model of very many classes is registered like any other: what training writes, register-model reads."""

from __future__ import annotations

import io
import tarfile
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from contract.evaluation import FILE, MAX_BYTES
from functions.common import archived, evaluation
from functions.register_model.handler import handler
from tests.unit.lambda_functions.fakes import Context, World
from tests.unit.lambda_functions.test_register_model import ended, train
from tests.unit.training_code.crowds import crowd, written
from training_code.output.artifact import Facts

CROWDS = [(2, 50), (755, 50_000), (1_000, 50_000), (10_000, 50_000)]
MEMORY = 512 * 2**20
"""The function's, in bytes (stacks/training/register_model.py)."""


def output(folder: Path, facts: Facts) -> bytes:
    """output.tar.gz of the job."""
    job = written(folder, facts)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as tar:
        tar.add(job.output_data, ".")
    return buffer.getvalue()


@pytest.mark.parametrize(("classes", "pictures"), CROWDS)
def test_a_model_of_so_many_classes_becomes_a_version(
    world: World, tmp_path: Path, classes: int, pictures: int
) -> None:
    facts = crowd(classes, pictures)
    job = train(world)
    world.s3.put("artifacts", f"jobs/{job}/output/output.tar.gz", output(tmp_path, facts))
    answer = handler(ended(job), Context())
    package = world.sagemaker.packages[answer["model_package"]]
    tested = facts.evaluations["test"]
    assert package["CustomerMetadataProperties"]["test_accuracy"] == repr(tested.accuracy)
    assert len(package["CustomerMetadataProperties"]) <= 50
    assert all(len(value) <= 256 for value in package["CustomerMetadataProperties"].values())
    verdict: dict[str, Any] = world.s3.json("artifacts", f"runs/{job}/verdict.json")
    assert verdict["test_pictures"] == pictures
    assert verdict["lowest_class_recall"] == min(recall for _, recall, count in tested.per_class() if count)
    assert len(world.s3.objects["artifacts", f"runs/{job}/verdict.json"]) < 2_000


@pytest.mark.parametrize(("classes", "pictures"), CROWDS)
def test_what_is_read_is_what_was_measured(tmp_path: Path, classes: int, pictures: int) -> None:
    facts = crowd(classes, pictures)
    tested = facts.evaluations["test"]
    body = io.BytesIO(output(tmp_path, facts))
    tracemalloc.start()
    read = evaluation.parse(archived.find(body, "here", FILE, MAX_BYTES), "here")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read.classes == facts.dataset.classes
    assert read.predicted == tuple(tested.predicted.tolist())
    assert dict(read.recalls) == {
        name: recall
        for name, (_, recall, count) in zip(read.classes, tested.per_class(), strict=True)
        if count
    }
    assert read.champion is not None
    assert facts.champion is not None
    assert read.champion.predicted == tuple(facts.champion["predicted"])
    assert peak < MEMORY / 8, "and the champion's beside it, and boto3's"


def test_pages_and_papers_stay_of_a_size_that_opens(tmp_path: Path) -> None:
    job = written(tmp_path, crowd(400, 50_000, right=0.1))
    assert (job.model / "report.html").stat().st_size < 2_000_000
    assert (job.model / "model.json").stat().st_size < 10_000


def test_a_class_with_any_name_can_be_the_reason(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A description has at most 1024 characters, none of them a control character."""
    facts = crowd(2, 50, name="a\n" + "b" * 1200 + "{}", right=0.5)
    monkeypatch.setenv("MIN_CLASS_RECALL", "1.0")
    job = train(world)
    world.s3.put("artifacts", f"jobs/{job}/output/output.tar.gz", output(tmp_path, facts))
    answer = handler(ended(job), Context())
    description = world.sagemaker.packages[answer["model_package"]]["ModelPackageDescription"]
    assert len(description) == 1024
    assert description.isprintable()
