"""A head that begins with what the starting weights' own classifier says of the new classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from tests.unit.training_code.debugged import SHORT, classes_of_noise
from tests.unit.training_code.samples import MACHINE, load
from training_code.config import parse
from training_code.data.batches import Batches
from training_code.network.fitting import fitting
from training_code.network.fresh import fresh
from training_code.network.network import Network, OldHead
from training_code.network.resnet import BasicBlock, ResNet
from training_code.stopping import StopSignal
from training_code.training import head_start, loop
from training_code.training.checkpoints import Checkpoints

NEW = {"dark": (40, 20), "light": (40, 20)}


def network(classes: int, seed: int) -> ResNet:
    torch.manual_seed(seed)
    built = ResNet(BasicBlock, (1, 1, 1, 1), classes)
    built.freeze_before("stem")
    return built


def batches(root: Path, **changed: str) -> tuple[Batches, Batches]:
    config = parse(SHORT | {"weights": "imagenet"} | changed)
    dataset = load(root, config)
    train, valid, _ = (Batches(split, dataset.transform, config, MACHINE) for split in dataset.splits)
    return train, valid


def right(network: Network, part: Batches) -> float:
    network.eval()
    with torch.no_grad():
        found = network(part.unvaried(torch.arange(len(part.split)))).argmax(1)
    return float((found == part.split.labels).float().mean())


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return classes_of_noise(tmp_path_factory.mktemp("noise"), NEW)


@pytest.fixture(scope="module")
def trained(root: Path) -> ResNet:
    """A network that tells the two classes apart, in the order of its own: light, something else, dark."""
    train, valid = batches(root, weights="none", epochs="6")
    learnt = network(2, 1)
    loop.train(learnt, train, valid, train.config, Checkpoints(None, {}), StopSignal())
    weight, bias = learnt.fc.weight.data, learnt.fc.bias.data
    learnt.old_head = OldHead(
        "fc",
        torch.stack([weight[1], -weight.sum(0), weight[0]]),
        torch.stack([bias[1], bias.min() - 3, bias[0]]),
    )
    return learnt


def started(trained: ResNet, train: Batches) -> ResNet:
    begun = network(2, 2)
    head = {name: value.clone() for name, value in begun.state_dict().items() if name.startswith("fc.")}
    begun.load_state_dict(trained.state_dict() | head)
    begun.old_head = trained.old_head
    head_start.begin(begun, train, StopSignal())
    return begun


def test_classes_that_the_weights_know_are_known_before_any_training(trained: ResNet, root: Path) -> None:
    train, valid = batches(root)
    assert right(trained, valid) > 0.9
    assert right(started(trained, train), valid) >= right(trained, valid) - 0.05
    drawn = started(trained, replace(train, config=parse(SHORT | {"head": "new"})))
    assert torch.equal(drawn.fc.weight, network(2, 2).fc.weight)


def test_a_training_begins_so_and_one_that_goes_on_does_not(
    trained: ResNet, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, valid = batches(root, epochs="1", learning_rate="0.0001", batch_size="40", warmup_epochs="0")
    for said in (True, False):
        begun = network(2, 2)
        begun.load_state_dict(trained.state_dict())
        begun.old_head = trained.old_head
        loop.train(begun, train, valid, train.config, Checkpoints(tmp_path, {}), StopSignal())
        assert ("the head begins" in capsys.readouterr().out) == said
    assert right(begun, valid) > 0.85


def test_weights_that_know_nothing_of_the_classes_leave_the_head_as_it_was_drawn(
    trained: ResNet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, _ = batches(classes_of_noise(tmp_path, NEW, random=True))
    assert torch.equal(started(trained, train).fc.weight, network(2, 2).fc.weight)
    assert "tells too little of the new ones (0.0" in capsys.readouterr().out


def test_weights_of_fewer_classes_tell_too_little(trained: ResNet, root: Path) -> None:
    train, _ = batches(root)
    assert trained.old_head is not None
    begun = network(2, 2)
    begun.old_head = OldHead("fc", trained.old_head.weight[:1], trained.old_head.bias[:1])
    head_start.begin(begun, train, StopSignal())
    assert torch.equal(begun.fc.weight, network(2, 2).fc.weight)


def test_a_new_class_is_the_old_one_that_is_its_alone() -> None:
    labels = torch.tensor([0] * 50 + [1] * 50)
    # Old class 2 gets half of both, so it tells nothing; 0 and 4 get a part of one each.
    old = torch.zeros(100, 5)
    old[:, 2] = 0.5
    old[:50, 0] = 0.5
    old[50:, 4] = 0.5
    shares = head_start.mapping(old, labels, 2)
    assert shares.sum(1).tolist() == pytest.approx([1, 1])
    assert shares[0].tolist() == pytest.approx([2 / 3, 0, 1 / 3, 0, 0], abs=0.01)
    assert shares[1].tolist() == pytest.approx([0, 0, 1 / 3, 0, 2 / 3], abs=0.01)


def test_a_class_without_pictures_begins_as_the_mean_of_all() -> None:
    old = one_hot(torch.tensor([0, 1] * 20), 3).float()
    shares = head_start.mapping(old, torch.tensor([0, 1] * 20), 3)
    assert shares[2].tolist() == pytest.approx([0.5, 0.5, 0], abs=0.01)
    assert shares.isfinite().all()


def state(classes: int, features: int = 512) -> dict[str, Tensor]:
    found = fresh("resnet18", classes, 32).state_dict()
    found["fc.weight"] = torch.randn(classes, features)
    return dict(found)


def test_the_last_layer_of_a_file_is_taken_whatever_its_classes_and_no_other() -> None:
    wanted = fresh("resnet18", 3, 32)
    told = state(7)
    head = fitting(wanted, "resnet18", told, "x").old_head
    assert head is not None
    assert (head.owner, head.weight.shape, head.bias.shape) == ("fc", (7, 512), (7,))
    assert torch.equal(head.weight, told["fc.weight"])
    for odd in (
        {"fc.weight": torch.randn(7, 100)},
        {"fc.weight": torch.full((7, 512), torch.nan)},
        {"fc.bias": torch.zeros(5)},
    ):
        assert fitting(wanted, "resnet18", told | odd, "x").old_head is None
    headless = {name: value for name, value in told.items() if not name.startswith("fc.")}
    assert fitting(wanted, "resnet18", headless, "x").old_head is None
