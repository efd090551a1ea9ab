"""What a training leaves behind: complete for who serves, registers or reads it."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
import safetensors.torch
import torch
import torchvision

import contract
from reports import Record
from reports.training import page
from tests.unit.training_code.samples import COUNTS, MACHINE, TINY, load, train
from training_code.config import parse
from training_code.data.batches import Batches
from training_code.data.decoded_images import DecodedImages
from training_code.data.split import Skipped
from training_code.evaluation.scores import Evaluation, evaluate
from training_code.findings import Findings
from training_code.job import Job
from training_code.output import artifact, record
from training_code.output.artifact import Facts
from training_code.stopping import StopSignal


@pytest.fixture(scope="module")
def facts(pictures: Path) -> Facts:
    config = parse(TINY | {"run": "p-run", "dataset": "shades", "trainable_from": "fc"})
    trained, dataset = train(pictures, None, trainable_from="fc"), load(pictures, config)
    evaluations = {
        split.name: evaluate(
            trained.network, Batches(split, dataset.transform, config, MACHINE), 2, StopSignal()
        )
        for split in (dataset.valid, dataset.test)
    }
    serving = {"form": "openvino", "precision": "int8"}
    return Facts(
        job="p-job",
        config=config,
        dataset=dataset,
        machine=MACHINE,
        trained=trained,
        evaluations=evaluations,
        serving=serving,
        seconds=12.5,
    )


@pytest.fixture(scope="module")
def job(facts: Facts, tmp_path_factory: pytest.TempPathFactory) -> Job:
    """A job whose artifact is written."""
    job = Job(tmp_path_factory.mktemp("job"), "p-job")
    artifact.write(job, facts)
    return job


def reported(facts: Facts) -> Record:
    return record.gather(facts, Findings(), Path("/nowhere"))


def drawn(facts: Facts) -> str:
    return page.render(reported(facts))


def test_the_weights_load_into_torchvisions_network(job: Job) -> None:
    state = safetensors.torch.load_file(job.model / "model.safetensors")
    torchvision.models.resnet18(weights=None, num_classes=2).load_state_dict(state, strict=True)


def test_any_user_of_the_server_may_read_every_file(job: Job) -> None:
    files = list(job.model.iterdir())
    assert {path.name for path in files} == {"model.safetensors", "classes.json", "model.json", "report.html"}
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in files)


def test_model_json_says_how_to_use_the_model_and_where_it_comes_from(job: Job, facts: Facts) -> None:
    card = json.loads((job.model / "model.json").read_text())
    assert card["format"] == 1
    assert (card["arch"], card["num_classes"], card["image_size"]) == ("resnet18", 2, 16)
    assert (card["training_job"], card["run"], card["dataset"]) == ("p-job", "p-run", "shades")
    assert card["transform"] == {
        "resize": 16,
        "resize_mode": "exact",
        "crop": 16,
        "jpeg_draft": 2,
        "interpolation": "bilinear",
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    }
    assert set(card["metrics"]) == {"train", "valid", "test"}
    assert card["metrics"]["test"]["accuracy"] == facts.evaluations["test"].accuracy
    assert card["hyperparameters"]["batch_size"] == 4
    assert card["data"]["test"]["fingerprint"] == facts.dataset.test.fingerprint
    assert re.fullmatch(r"[0-9a-f]{64}", card["code_version"])
    assert card["versions"]["torch"]
    assert json.loads((job.model / "classes.json").read_text()) == ["dark", "light"]


def test_evaluation_json_has_what_the_quality_gate_compares(job: Job, facts: Facts) -> None:
    content = json.loads((job.output_data / "evaluation.json").read_text())
    assert content["format"] == 2
    assert (content["arch"], content["classes"], content["image_size"]) == ("resnet18", ["dark", "light"], 16)
    for split in ("valid", "test"):
        part, counts = content[split], content[split]["per_class"]
        assert {"accuracy", "loss", "count", "fingerprint", "confidence"} <= set(part)
        assert {name: len(each) for name, each in counts.items()} == {"count": 2, "predicted": 2, "right": 2}
        assert part["count"] == 2 * COUNTS[split] == sum(counts["count"]) == sum(counts["predicted"])
    test = content["test"]
    assert test["labels"] == facts.evaluations["test"].labels.tolist()
    assert len(test["predicted"]) == test["count"]
    assert len(test["misclassified"]) == test["count"] - sum(test["per_class"]["right"])
    assert content["train"] == {"count": 12, "fingerprint": facts.dataset.train.fingerprint}
    assert content["leaked"] == {"test_in_train": 0, "pairs": [], "valid_in_train": 0, "test_in_valid": 0}
    assert content["seconds"] == 12.5


def test_the_same_code_has_the_same_version_and_changed_code_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = artifact.code_version()
    assert artifact.code_version() == first
    (tmp_path / "__init__.py").write_text("changed")
    monkeypatch.setattr(contract, "__file__", str(tmp_path / "__init__.py"))
    assert artifact.code_version() != first


def test_a_stopped_training_leaves_a_model_without_an_evaluation(facts: Facts, tmp_path: Path) -> None:
    job = Job(tmp_path, "p-job")
    artifact.write(job, dataclasses.replace(facts, evaluations={}))
    assert json.loads((job.model / "model.json").read_text())["stopped_early"] is True
    assert not (job.output_data / "evaluation.json").exists()
    assert "It was not tested" in (job.model / "report.html").read_text()


def test_the_report_needs_nothing_from_outside_and_runs_nothing(job: Job) -> None:
    text = (job.model / "report.html").read_text()
    assert not re.search(r"https?://|<script|<link|@import|url\(", text)
    assert "prefers-color-scheme: dark" in text


def test_names_in_the_report_cannot_become_markup(facts: Facts) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    dataset = dataclasses.replace(
        facts.dataset,
        classes=(hostile, "b"),
        train=dataclasses.replace(facts.dataset.train, skipped=(Skipped(hostile, hostile),)),
    )
    config = dataclasses.replace(facts.config, dataset=hostile)
    text = drawn(dataclasses.replace(facts, dataset=dataset, config=config, job=hostile))
    assert "<img src=x" not in text
    assert "&lt;img" in text


def test_a_model_no_better_than_guessing_is_called_that(facts: Facts) -> None:
    test = facts.evaluations["test"]
    wrong = dataclasses.replace(test, predicted=1 - test.labels)
    text = page.verdict(reported(dataclasses.replace(facts, evaluations={"test": wrong})))
    assert "0.0% of 4 test pictures" in text
    assert "do not use this model" in text


def test_the_speed_that_is_told_is_the_median_epochs_with_its_spread_and_without_the_first(
    facts: Facts,
) -> None:
    """The best epoch of a shared machine says what it may do once."""

    def tile(speeds: list[float]) -> str:
        best = facts.trained.best
        epochs = [dataclasses.replace(best, images_per_second=each, epoch=1) for each in speeds]
        trained = dataclasses.replace(facts.trained, history=tuple(epochs), best=epochs[0])
        return page.summary(reported(dataclasses.replace(facts, trained=trained)))

    assert "210 images/s in the median of 3 epochs, 200 to 289, the first left out" in tile(
        [100, 289, 200, 210]
    )
    assert "150 images/s in the median of 2 epochs, 100 to 200<" in tile([100, 200])
    assert "100 images/s in its one epoch" in tile([100])
    assert "images/s" not in page.summary(reported(facts) | {"speed": None}), "of a record that knows none"


def test_hundreds_of_classes_get_a_list_of_confusions_and_no_matrix(facts: Facts) -> None:
    names = tuple(f"class {number}" for number in range(500))
    test = dataclasses.replace(facts.evaluations["test"], classes=500)
    text = drawn(
        dataclasses.replace(
            facts, dataset=dataclasses.replace(facts.dataset, classes=names), evaluations={"test": test}
        )
    )
    assert 'class="matrix"' not in text
    assert "The 200 lowest of 500" in text


def test_a_report_of_133_classes_with_all_its_parts_is_below_five_megabytes(
    facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, random = tuple(f"a breed with a long name {number}" for number in range(133)), torch.Generator()
    labels, predicted = (torch.randint(133, (8000,), generator=random) for _ in range(2))
    test = Evaluation(4.9, labels, predicted, torch.rand(8000), 133)

    def noise(_squares: object, rows: torch.Tensor) -> torch.Tensor:
        return torch.randint(256, (len(rows), 224, 224, 3), dtype=torch.uint8, generator=random)

    monkeypatch.setattr(DecodedImages, "pick", noise)  # nothing makes a larger JPEG
    dataset = dataclasses.replace(facts.dataset, classes=names)
    full = reported(dataclasses.replace(facts, dataset=dataset, evaluations={"test": test}))
    full["history"] = full["history"] * 200
    shown = [[-3.21] * 48] * 54  # ResNet50's weights at as many steps as are drawn
    layers = [f"layer4.{number}.conv" for number in range(54)]
    full["flow"] = {"layers": layers, "steps": list(range(48)), "gradient": shown, "update": shown}
    text = page.render(full)
    assert text.count('<img src="data:image/jpeg') == 40
    assert len(text.encode()) < 5e6
    assert all(name in text for name in names)
