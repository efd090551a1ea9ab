"""The average of the weights is what is judged and kept, while the weights themselves are trained on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.unit.training_code.samples import numbers, train
from tests.unit.training_code.test_loop import StopAfter
from tests.unit.training_code.test_probe import Looking
from training_code.stopping import Stopped
from training_code.training.average import Average

AVERAGED = {"ema_decay": "0.9", "trainable_from": "layer4", "augment": "flip", "schedule": "constant"}


def test_the_average_is_that_of_the_steps() -> None:
    live = {"weight": torch.zeros(3), "steps": torch.tensor(0)}
    average, expected = Average(live, 0.5), 0.0
    for step in range(20):
        live["weight"].fill_(step)
        live["steps"].add_(1)
        average.follow(step)
        kept = min(0.5, (1 + step) / (10 + step))
        expected = kept * expected + (1 - kept) * step
    with average.in_place():
        assert torch.allclose(live["weight"], torch.full((3,), expected))
        assert live["steps"] == 20, "what is counted is not averaged"
    assert live["weight"].tolist() == [19.0] * 3


def test_what_training_goes_on_with_comes_back_also_when_judging_is_broken_off() -> None:
    live = {"weight": torch.zeros(1)}
    average = Average(live, 0.5)
    live["weight"].fill_(4.0)
    with pytest.raises(Stopped), average.in_place():
        raise Stopped
    assert live["weight"] == 4.0


def test_the_average_is_judged_and_written_and_the_weights_are_trained_on(pictures: Path) -> None:
    looking, plain = Looking(), Looking()
    averaged = train(pictures, None, callback=looking, **AVERAGED)
    own = train(pictures, None, callback=plain, **AVERAGED | {"ema_decay": "0"})
    for name, value in plain.after[-1].items():
        assert torch.equal(value, looking.after[-1][name]), name
    assert [each[0] for each in numbers(averaged)] == [each[0] for each in numbers(own)]
    assert [each[1] for each in numbers(averaged)] != [each[1] for each in numbers(own)]
    for name in ("fc.weight", "layer4.0.bn1.running_mean"):
        assert not torch.equal(averaged.network.state_dict()[name], own.network.state_dict()[name]), name


@pytest.mark.parametrize("more", [{}, {"probe_epochs": "1", "mixup": "0.2", "random_erasing": "0.5"}])
@pytest.mark.parametrize("looks", [2, 4, 6])
def test_it_is_resumed_with_the_same_numbers(
    pictures: Path, tmp_path: Path, looks: int, more: dict[str, str]
) -> None:
    hyperparameters = AVERAGED | more
    whole = train(pictures, None, **hyperparameters)
    try:
        train(pictures, tmp_path, StopAfter(looks), **hyperparameters)
    except Stopped:
        assert looks < 6
    resumed = train(pictures, tmp_path, **hyperparameters)
    assert numbers(resumed) == numbers(whole)
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name]), name
