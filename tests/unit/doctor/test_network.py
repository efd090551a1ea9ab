"""A network's features come from its file of weights alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from doctor.features.network import UnusableWeights, from_file
from training_code.network.resnet import resnet


@pytest.mark.parametrize(
    ("arch", "stem"), [("resnet18", "usual"), ("resnet18", "small"), ("resnet50", "usual")]
)
def test_features_of_our_networks_are_what_their_last_layer_sees(
    arch: str, stem: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = resnet(arch, 3, stem).eval()
    save_file(network.state_dict(), tmp_path / "model.safetensors")
    extractor = from_file(tmp_path / "model.safetensors", image_size=64)
    pixels = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), np.uint8)
    assert extractor.transform is not None
    batch = torch.cat([torch.from_numpy(extractor.transform.normalised(each)) for each in pixels])
    seen: list[torch.Tensor] = []
    network.fc.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    network(batch)
    assert np.allclose(extractor(pixels, pixels), seen[0].detach().numpy(), atol=1e-3)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.safetensors", b"junk"), ("a.pth", b"junk"), ("a.txt", b"x"), ("a.pt", b"")],
)
def test_a_file_that_is_no_weights_is_refused_by_its_name(name: str, content: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnusableWeights, match=name):
        from_file(tmp_path / name)


def test_weights_of_an_unknown_network_and_broken_ones_are_refused(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(UnusableWeights, match="no network the doctor knows"):
        from_file(tmp_path / "other.safetensors")
    state = resnet("resnet18", 2).state_dict()
    state["conv1.weight"][0, 0, 0, 0] = torch.nan
    save_file(state, tmp_path / "nan.safetensors")
    with pytest.raises(UnusableWeights, match="not finite"):
        from_file(tmp_path / "nan.safetensors")
    del state["layer2.0.bn1.weight"]
    save_file(state, tmp_path / "less.safetensors")
    with pytest.raises(UnusableWeights, match="does not fit"):
        from_file(tmp_path / "less.safetensors")
