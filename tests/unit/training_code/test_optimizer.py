"""The optimisers are torch's, and the learning rate runs as its schedule says."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
import torch
from torch import nn

from training_code.config import Config, parse
from training_code.network.resnet import resnet
from training_code.training.optimizer import Optimizer, schedule


def _sgd(parameters: Iterator[nn.Parameter], config: Config) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1, momentum=config.momentum, weight_decay=config.weight_decay)


def _adamw(parameters: Iterator[nn.Parameter], config: Config) -> torch.optim.Optimizer:
    return torch.optim.AdamW(parameters, lr=0.1, eps=config.eps, weight_decay=config.weight_decay)


@pytest.mark.parametrize(
    ("hyperparameters", "theirs"),
    [
        ({"momentum": "0.9", "weight_decay": "0.01"}, _sgd),
        ({"momentum": "0", "weight_decay": "0"}, _sgd),
        ({"optimizer": "adamw", "weight_decay": "0.05", "eps": "1e-6"}, _adamw),
    ],
)
def test_steps_are_those_of_torch_optim(
    hyperparameters: dict[str, str], theirs: Callable[[Iterator[nn.Parameter], Config], torch.optim.Optimizer]
) -> None:
    config = parse(hyperparameters)
    torch.manual_seed(0)
    ours, reference = nn.Linear(5, 3), nn.Linear(5, 3)
    reference.load_state_dict(ours.state_dict())
    expected = theirs(reference.parameters(), config)
    optimizer = Optimizer(ours, config)
    for _ in range(4):
        batch = torch.randn(8, 5)
        for network in (ours, reference):
            network(batch).square().mean().backward()
        optimizer.step(0.1)
        expected.step()
        expected.zero_grad()
    assert torch.allclose(ours.weight, reference.weight, atol=1e-6)
    assert ours.weight.grad is None


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_a_restored_optimizer_goes_on_as_if_nothing_had_happened(kind: str) -> None:
    config = parse({"optimizer": kind})

    def run(*, interrupted: bool) -> torch.Tensor:
        torch.manual_seed(0)
        network = nn.Linear(5, 3)
        optimizer = Optimizer(network, config)
        for step in range(6):
            if interrupted and step == 3:
                state = {name: value.clone() for name, value in optimizer.state().items()}
                optimizer = Optimizer(network, config)
                optimizer.restore(state)
            network(torch.full((2, 5), float(step))).square().mean().backward()
            optimizer.step(0.1)
        return network.weight.detach()

    assert torch.equal(run(interrupted=True), run(interrupted=False))


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_what_is_restored_lies_where_the_parameters_are(kind: str) -> None:
    """A checkpoint is read into the CPU's memory. The fused kernels want all they step on one device, the
    counters of the steps taken too: torch.optim moves them itself when it loads a fused optimiser's state.
    """
    config = parse({"optimizer": kind})
    saved = Optimizer(nn.Linear(5, 3), config).state()
    elsewhere = Optimizer(nn.Linear(5, 3, device="meta"), config)
    elsewhere.restore(saved)
    restored = elsewhere.state()
    assert restored.keys() == saved.keys()
    assert {name: str(value.device) for name, value in restored.items()} == dict.fromkeys(saved, "meta")


def test_what_is_frozen_is_not_stepped() -> None:
    network = nn.Linear(5, 3)
    network.bias.requires_grad_(False)
    assert set(Optimizer(network, parse({})).state()) == {"momentum.weight", "taken"}


def rates(**hyperparameters: str) -> list[float]:
    config = parse({"epochs": "10", "learning_rate": "0.5", **hyperparameters})
    rate = schedule(config, 10)
    return [rate(step) for step in range(100)]


def test_constant_stays() -> None:
    assert set(rates(schedule="constant")) == {0.5}


def test_cosine_falls_from_the_learning_rate_to_almost_nothing() -> None:
    values = rates(schedule="cosine")
    assert values[0] == 0.5
    assert values[50] == pytest.approx(0.25)
    assert 0 < values[-1] < 0.001
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("kind", ["constant", "cosine"])
def test_a_warmup_rises_in_equal_steps(kind: str) -> None:
    values = rates(schedule=kind, warmup_epochs="0.5")
    assert values[:5] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert values[5] == pytest.approx(0.5)


@pytest.mark.parametrize(("warmup", "top"), [("0", 29), ("2", 19)])
def test_one_cycle_rises_to_the_learning_rate_and_falls_far_below_its_start(warmup: str, top: int) -> None:
    values = rates(schedule="one-cycle", warmup_epochs=warmup)
    assert values.index(max(values)) == top
    assert max(values) == pytest.approx(0.5)
    assert values[0] < 0.05
    assert values[-1] < values[0] / 10


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_each_stage_before_the_head_is_moved_by_less(kind: str) -> None:
    config = parse({"optimizer": kind, "layer_decay": "0.5", "weight_decay": "0", "trainable_from": "layer3"})
    torch.manual_seed(0)
    network = resnet("resnet18", 3)
    network.freeze_before("layer3")
    before = {name: value.detach().clone() for name, value in network.named_parameters()}
    optimizer = Optimizer(network, config, network.depths())
    for value in network.parameters():
        value.grad = torch.ones_like(value)
    optimizer.step(0.1)
    moved = {
        name: float((value.detach() - before[name]).abs().max()) for name, value in network.named_parameters()
    }
    for stage, rate in {"fc": 0.1, "layer4": 0.05, "layer3": 0.025, "layer2": 0, "conv1": 0}.items():
        of_stage = [each for name, each in moved.items() if name.startswith(stage)]
        assert of_stage == pytest.approx([rate] * len(of_stage), rel=1e-3), stage


def test_stages_of_different_rates_are_restored_too() -> None:
    config = parse({"optimizer": "adamw", "layer_decay": "0.5"})
    network = resnet("resnet18", 3)
    saved = Optimizer(network, config).state()
    saved = {name: value + 1 for name, value in saved.items()}
    optimizer = Optimizer(network, config, network.depths())
    optimizer.restore(saved)
    assert all(torch.equal(value, saved[name]) for name, value in optimizer.state().items())
