"""The network is torchvision's, and what is frozen stays as it is."""

from __future__ import annotations

import pytest
import torch
import torchvision

from contract.networks import STAGES
from training_code.network.fresh import trained
from training_code.network.resnet import resnet


@pytest.mark.parametrize("arch", ["resnet18", "resnet34", "resnet50"])
def test_names_shapes_and_scores_are_torchvisions(arch: str) -> None:
    theirs = torchvision.models.get_model(arch, weights=None, num_classes=3).eval()
    ours = resnet(arch, 3).eval()
    assert list(ours.state_dict()) == list(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    pictures = torch.randn(2, 3, 64, 64)
    with torch.inference_mode():
        assert torch.allclose(ours(pictures), theirs(pictures), atol=1e-5)


def test_a_small_stem_leaves_a_small_picture_whole() -> None:
    network = resnet("resnet18", 3, "small").eval()
    whole, usual = network.last_map(torch.randn(2, 3, 32, 32)), resnet("resnet18", 3).eval()
    assert whole.shape == (2, 512, 4, 4)
    assert usual.last_map(torch.randn(2, 3, 32, 32)).shape == (2, 512, 1, 1)
    again = trained("resnet18", 3, 32, network.state_dict()).eval()
    pictures = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(again(pictures), network(pictures))


def test_no_other_architecture_is_built_by_accident() -> None:
    with pytest.raises(ValueError, match="resnet101"):
        resnet("resnet101", 2)


@pytest.mark.parametrize("stage", STAGES)
def test_frozen_stages_get_no_gradients_and_keep_their_statistics(stage: str) -> None:
    network = resnet("resnet18", 2)
    network.freeze_before(stage)
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    network(torch.randn(4, 3, 32, 32)).sum().backward()
    trained = set(network.trained_state())
    for name, value in network.named_parameters():
        assert (value.grad is not None) == (name in trained), name
    changed = {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}
    assert changed <= trained
    assert any("running_mean" in name for name in changed) or stage == "fc"


def test_frozen_stages_are_not_in_the_graph() -> None:
    network = resnet("resnet18", 2)
    network.freeze_before("layer4")
    activation = network.frozen_part(torch.randn(2, 3, 32, 32))
    assert activation.shape == (2, 256, 2, 2)
    assert activation.grad_fn is None


def test_the_cut_network_gives_the_scores_of_the_whole() -> None:
    network = resnet("resnet18", 2).eval()
    pictures = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        whole = network(pictures)
        for stage in STAGES:
            network.freeze_before(stage)
            assert torch.equal(network.trained_part(network.frozen_part(pictures)), whole)
