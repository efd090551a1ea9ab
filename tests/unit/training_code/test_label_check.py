"""The last training names labels that look wrong: those that were planted, none of clean pictures."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

from contract.pictures.transform import Transform
from tests.unit.training_code.samples import MACHINE, TINY, job_folder
from training_code import __main__ as program
from training_code.config import Config, parse
from training_code.data.batches import Batches
from training_code.data.decoded_images import DecodedImages
from training_code.data.feature_cache import Features
from training_code.data.split import Split
from training_code.distributed.process_group import ProcessGroup
from training_code.evaluation import label_check
from training_code.evaluation.label_check import LabelCheck, check, cost
from training_code.job import Job
from training_code.network.resnet import ResNet, resnet
from training_code.stopping import StopSignal

SIDE = 16
EPOCHS = 10
PER_SPLIT = {"train": 120, "valid": 40, "test": 40}
PLANTED = {("train", 3), ("train", 50), ("train", 77), ("valid", 11), ("test", 20)}


class Squares:
    """Pictures in memory: upper or lower half bright, by class, in a margin that no evaluation sees."""

    margin = 2

    def __init__(self, labels: Tensor, seed: int) -> None:
        random = torch.Generator().manual_seed(seed)
        side = SIDE + 2 * self.margin
        noise = torch.randint(0, 90, (len(labels), side, side, 3), generator=random)
        noise[labels == 0, : side // 2] += 120
        noise[labels == 1, side // 2 :] += 120
        self.squares = noise.to(torch.uint8)

    def pick(self, rows: Tensor) -> Tensor:
        return self.squares[rows]


def parts(planted: set[tuple[str, int]], config: Config | None = None) -> list[Batches]:
    """Batches of train, valid and test with wrong labels in these places."""
    config = config or parse(TINY)
    found = []
    for seed, (name, count) in enumerate(PER_SPLIT.items()):
        labels = torch.arange(count) % 2
        images = cast(DecodedImages, Squares(labels, seed))
        for split, row in planted:
            if split == name:
                labels[row] = 1 - labels[row]
        files = tuple(f"{int(label)}/{row}.png" for row, label in enumerate(labels))
        split_ = Split(name, images, labels, files, "", b"", ())
        found.append(Batches(split_, Transform.of_size(SIDE), config, MACHINE))
    return found


@pytest.fixture(scope="module")
def network() -> ResNet:
    torch.manual_seed(0)
    return resnet("resnet18", 2)


def named(result: LabelCheck) -> set[tuple[str, int]]:
    return {(each.split, each.picture) for each in result.suspects}


def test_planted_wrong_labels_are_named_with_their_split_and_right_class(
    network: ResNet, capsys: pytest.CaptureFixture[str]
) -> None:
    batches = parts(PLANTED)
    result = check(network, batches, EPOCHS, 7, StopSignal())
    assert named(result) == PLANTED
    assert (result.count, result.judged, result.pictures) == (5, 200, 200)
    for each in result.suspects:
        (split,) = (part.split for part in batches if part.split.name == each.split)
        assert each.file == split.files[each.picture]
        assert each.proposed == each.picture % 2 != each.given
    scores = [each.score for each in result.suspects]
    assert scores == sorted(scores, reverse=True)
    assert "5 labels look wrong, of 200 judged" in capsys.readouterr().out
    assert check(network, batches, EPOCHS, 7, StopSignal()) == result


def test_training_pictures_are_looked_at_without_the_margin_they_are_varied_in() -> None:
    assert parts(set())[0].unvaried(torch.arange(2)).shape == (2, 3, SIDE, SIDE)


def test_none_is_named_where_none_is_wrong(network: ResNet) -> None:
    assert check(network, parts(set()), EPOCHS, 7, StopSignal()).count == 0


def test_a_training_too_short_for_it_is_not_made_longer(
    network: ResNet, capsys: pytest.CaptureFixture[str]
) -> None:
    result = check(network, parts(PLANTED), 4, 7, StopSignal())
    assert (result.left_out, result.judged, result.count) == ("costs", 0, 0)
    assert "labels are not checked: that would add 11%" in capsys.readouterr().out


def test_what_is_frozen_and_cached_costs_nothing_and_what_several_trained_costs_one_more(
    network: ResNet,
) -> None:
    batches = parts(set())
    alone = cost(network, batches, 200, 10)
    pair = [dataclasses.replace(each, group=ProcessGroup(size=2)) for each in batches]
    assert cost(network, pair, 200, 10) == pytest.approx(2 * alone)
    frozen = resnet("resnet18", 2)
    frozen.freeze_before("layer4")
    assert cost(frozen, batches, 200, 1) > 0.1
    cached = [dataclasses.replace(each, features=cast(Features, object())) for each in batches]
    assert cost(frozen, cached, 200, 1) == 0


def test_of_too_many_pictures_some_are_drawn(network: ResNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(label_check, "MAX_PICTURES", 150)
    batches = parts(PLANTED)
    result = check(network, batches, EPOCHS, 7, StopSignal())
    assert (result.judged, result.pictures) == (150, 200)
    assert named(result) <= PLANTED
    assert result.count > 0


def test_a_job_that_is_told_to_stop_does_not_go_on_looking(network: ResNet) -> None:
    stop = StopSignal()
    stop.came = True
    assert check(network, parts(set()), EPOCHS, 7, stop).left_out == "stopped"


@pytest.mark.parametrize("trial", [False, True])
def test_the_last_training_runs_it_and_a_trial_does_not(
    trial: bool, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suspect = label_check.Suspect("train", 4, "dark/4.png", 0, 1, 0.9)
    asked: list[Any] = []

    def found(*given: Any) -> LabelCheck:
        asked.append(given)
        return LabelCheck(22, 22, 1, (suspect,))

    monkeypatch.setattr(label_check, "check", found)
    extra = {"_tuning_objective_metric": "valid_accuracy"} if trial else {}
    base = job_folder(tmp_path / "base", pictures, TINY | {"epochs": "1"} | extra)
    job = Job(base, "p-job")
    program.run(job, parse(job.hyperparameters()), ProcessGroup(), StopSignal())
    assert len(asked) == (not trial)
    page = (job.model / "report.html").read_text()
    assert ("1 label looks wrong" in page) is not trial
    assert "labels" not in json.loads((job.output_data / "evaluation.json").read_text())
    if not trial:
        written = json.loads((job.output_data / "report.json").read_text())["labels"]
        (row,) = written["rows"]
        assert row.pop("picture").startswith("data:image/jpeg;base64,")
        assert row == {
            "split": "train",
            "file": "dark/4.png",
            "given": 0,
            "proposed": 1,
            "score": 0.9,
        }
