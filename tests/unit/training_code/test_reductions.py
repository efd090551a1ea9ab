"""What a save makes of the weights: comparisons tensor by tensor, on one sample of all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from training_code.debugging import reductions
from training_code.debugging.reductions import Sampler


@pytest.fixture
def tensors() -> list[torch.Tensor]:
    torch.manual_seed(7)
    kernel = torch.randn(8, 4, 3, 3).to(memory_format=torch.channels_last)
    return [kernel, torch.randn(6), torch.zeros(3), torch.randn(5, 7).t()]


def test_updates_and_changes_are_those_of_each_tensor_alone(tensors: list[torch.Tensor]) -> None:
    sampler = Sampler(tensors)
    before, old = sampler.sample().numpy(), [each.clone() for each in tensors]
    tensors[0][1, 2] += 0.5
    tensors[2] += 1
    tensors[3][0, 0] *= 1 + 1e-7
    after = sampler.sample().numpy()
    moved = [float((new - was).norm() / was.norm()) for new, was in zip(tensors, old, strict=True)]
    assert moved[2] == float("inf"), "from zero"
    assert sampler.update_ratios(before, after) == pytest.approx(moved, rel=1e-5, abs=1e-9)
    changes = sampler.largest_changes(before, after, rtol=1e-5, atol=1e-8)
    same = [torch.allclose(new, was) for new, was in zip(tensors, old, strict=True)]
    assert same == [False, True, False, True]
    assert list(changes <= 0) == same


def test_a_large_tensor_is_sampled_evenly_and_what_is_no_number_is_seen(tensors: list[torch.Tensor]) -> None:
    large = torch.arange(100_000.0)
    sampler = Sampler([*tensors, large])
    sample = sampler.sample().numpy()[-sampler.count + sum(each.numel() for each in tensors) :]
    assert 2000 < len(sample) <= 4096
    assert len(set(np.diff(sample))) == 1
    before = sampler.sample().numpy()
    tensors[1][3] = float("nan")
    after = sampler.sample().numpy()
    assert not np.isfinite(sampler.update_ratios(before, after)[1])
    assert np.isnan(sampler.largest_changes(before, after, 1e-5, 1e-8)[1])


def test_a_depthwise_weight_is_compared_with_its_own_initialisation() -> None:
    network = nn.Sequential(nn.Conv2d(64, 64, 3, groups=64), nn.Conv2d(64, 32, 3))
    groups = reductions.groups_of(network)
    found = [reductions.he_deviation(value, groups[name]) for name, value in reductions.weights_of(network)]
    # Each of the first's outputs goes to nine places of one channel, of the second's to nine of 32.
    assert found == pytest.approx([(2 / 9) ** 0.5, (2 / (32 * 9)) ** 0.5])


def test_positions_and_class_tokens_are_no_weights() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cls_token = nn.Parameter(torch.zeros(1, 1, 8))
            self.layer = nn.Linear(8, 8)

    assert [name for name, _ in reductions.weights_of(Tokens())] == ["layer.weight"]
