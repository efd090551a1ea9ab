"""A probe trains the head alone, what follows it the rest too, and both go on where they were interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.unit.training_code.samples import TINY, job_folder, numbers, train
from tests.unit.training_code.test_loop import StopAfter, _judged
from tests.unit.training_code.test_process_group import metrics, run
from training_code.config import Config, parse
from training_code.data.batches import Batches
from training_code.data.table import Table
from training_code.errors import InvalidHyperparameter, OutOfMemory
from training_code.network.network import Network
from training_code.stopping import Stopped
from training_code.training import probe
from training_code.training.callback import Callback
from training_code.training.optimizer import schedule
from training_code.training.progress import Trained

KEPT = {"trainable_from": "layer4", "augment": "flip", "epochs": "4", "probe_epochs": "2"}
ANEW = KEPT | {"augment": "crop-flip", "optimizer": "adamw", "layer_decay": "0.5"}


class Looking(Callback):
    """Keeps the weights after each epoch, and what the steps were fed."""

    def __init__(self) -> None:
        self.after: list[dict[str, Tensor]] = []

    def training_begins(self, network: Network, config: Any, batches: Batches) -> None:
        self.network, self.began_with = network, network.freeze_point

    def epoch_ends(self, epoch: Any, validation: Any) -> None:
        self.after.append({name: value.clone() for name, value in self.network.state_dict().items()})


@pytest.fixture(scope="module", params=[KEPT, ANEW], ids=["features kept", "features anew"])
def whole(request: pytest.FixtureRequest, pictures: Path) -> tuple[dict[str, str], Trained]:
    torch.set_num_threads(1)
    return request.param, train(pictures, None, **request.param)


@pytest.mark.parametrize("looks", [2, 5, 7, 8, 10, 11, 12, 14, 16])
def test_it_is_resumed_with_the_same_numbers_wherever_it_was_stopped(
    pictures: Path, tmp_path: Path, whole: tuple[dict[str, str], Trained], looks: int
) -> None:
    hyperparameters, expected = whole
    try:
        train(pictures, tmp_path, StopAfter(looks), **hyperparameters)
    except Stopped:
        assert looks < 8, "an epoch was done, so there is a model to keep"
    resumed = train(pictures, tmp_path, **hyperparameters)
    assert numbers(resumed) == numbers(expected)
    for name, value in expected.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name


def test_the_head_alone_is_trained_first_and_the_rest_after_it(pictures: Path) -> None:
    looking = Looking()
    trained = train(pictures, None, callback=looking, **KEPT)
    first, second, third, _ = looking.after
    changed = [
        {name for name in a if not torch.equal(a[name], b[name])}
        for a, b in ((first, second), (second, third))
    ]
    assert changed[0] == {"fc.weight", "fc.bias"}
    assert {"fc.weight", "layer4.0.conv1.weight", "layer4.0.bn1.running_mean"} < changed[1]
    assert {name.split(".")[0] for name in changed[1]} == {"fc", "layer4"}
    assert looking.began_with == trained.network.freeze_point == 4, "what watches is told of all of it"


@pytest.mark.parametrize("augment", ["flip", "crop-flip"])
def test_a_probe_has_the_numbers_of_a_training_of_the_head(pictures: Path, augment: str) -> None:
    hyperparameters = KEPT | {"augment": augment}
    probed = numbers(train(pictures, None, **hyperparameters))[:2]
    alone = hyperparameters | {"trainable_from": "fc", "epochs": "2", "probe_epochs": "0"}
    for ours, theirs in zip(probed, numbers(train(pictures, None, **alone)), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("arch", ["resnet18", "tf_efficientnet_lite0"])
def test_norms_keep_their_statistics_and_learn_the_rest_when_told_so(pictures: Path, arch: str) -> None:
    looking = Looking()
    kept = {"arch": arch, "norm_statistics": "kept", "trainable_from": "stem", "image_size": "32"}
    train(pictures, None, callback=looking, **kept)
    first, last = looking.after[0], looking.after[-1]
    statistics = {name for name in first if name.endswith(("running_mean", "running_var", "_tracked"))}
    assert len(statistics) > 50
    changed = {name for name in first if not torch.equal(first[name], last[name])}
    assert not changed & statistics
    assert {"bn1.weight", "bn1.bias"} <= changed
    fresh_ones = {name: value for name, value in first.items() if name in statistics}
    assert all(value.unique().numel() == 1 for value in fresh_ones.values()), "as they began"


def test_other_networks_are_probed_too(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lite = KEPT | {"arch": "tf_efficientnet_lite0", "trainable_from": "stage7", "image_size": "32"}
    looking = Looking()
    train(pictures, None, callback=looking, **lite)
    first, second, *_ = looking.after
    assert {name for name in first if not torch.equal(first[name], second[name])} == {
        "classifier.weight",
        "classifier.bias",
    }


def test_the_best_epoch_of_a_probe_comes_with_the_stages_it_had(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _judged(monkeypatch, 2.0, 1.0, 3.0, 3.0)
    looking = Looking()
    trained = train(pictures, None, callback=looking, **KEPT, objective="valid_loss")
    assert trained.best.epoch == 2
    for name, value in looking.after[1].items():
        assert torch.equal(value, trained.network.state_dict()[name]), name


def test_patience_begins_after_the_probe(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _judged(monkeypatch, *range(1, 7))
    hyperparameters = KEPT | {"epochs": "6", "probe_epochs": "3", "patience": "2"}
    assert len(train(pictures, None, **hyperparameters).history) == 5


def test_where_there_is_no_room_for_features_it_goes_without(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = numbers(train(pictures, None, **KEPT))

    def full(*_: object) -> Table:
        raise OutOfMemory("full")

    monkeypatch.setattr(probe, "Table", full)
    for ours, theirs in zip(numbers(train(pictures, None, **KEPT)), expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-4)
    assert "computes pictures anew in every epoch: full" in capsys.readouterr().out


def test_two_processes_probe_and_go_on_as_one(pictures: Path, tmp_path: Path) -> None:
    several = TINY | KEPT | {"image_size": "48", "batch_size": "6", "epochs": "3", "precision": "float32"}
    base = job_folder(tmp_path / "base", pictures, several | {"processes": "2"})
    code, log = run(base)
    assert code == 0, log
    for line, epoch in zip(metrics(log)[:3], train(pictures, None, **several).history, strict=True):
        told = dict(word.split("=") for word in line.split() if "=" in word)
        assert float(told["train_loss"]) == pytest.approx(epoch.train_loss, rel=1e-2)


def test_the_learning_rate_runs_through_its_schedule_twice() -> None:
    config = parse({"trainable_from": "layer4", "epochs": "10", "probe_epochs": "4", "learning_rate": "0.5"})
    rate = probe_rates(config)
    assert rate[0] == 0.5
    assert rate[:40] == sorted(rate[:40], reverse=True)
    assert rate[39] < 0.01
    assert rate[40] == pytest.approx(0.05)
    assert rate[-1] < 0.001


def probe_rates(config: Config) -> list[float]:
    rate = schedule(config, 10)
    return [rate(step) for step in range(config.epochs * 10)]


@pytest.mark.parametrize(
    ("hyperparameters", "says"),
    [
        ({"epochs": "3", "probe_epochs": "3"}, "probe_epochs=3 has to be below epochs=3"),
        ({"epochs": "5", "probe_epochs": "3", "warmup_epochs": "2"}, "warmup_epochs=2 has to be below 2"),
    ],
)
def test_there_are_epochs_left_after_it(hyperparameters: dict[str, str], says: str) -> None:
    with pytest.raises(InvalidHyperparameter, match=says):
        parse(hyperparameters)


def test_where_the_head_is_all_that_is_trained_nothing_comes_first() -> None:
    for stage in ("fc", "head"):
        assert parse({"epochs": "3", "probe_epochs": "2", "trainable_from": stage}).probing == 0
