"""Starting weights: taken when they fit, refused with the reason when not, and never executed."""

from __future__ import annotations

import io
import os
import pickle
import tarfile
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import torchvision
from torch import Tensor

from contract.networks import ARCHITECTURES
from tests.unit.training_code.samples import MACHINE
from training_code.config import parse
from training_code.errors import UnusableWeights
from training_code.network import model, weights
from training_code.network.resnet import resnet


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """A ResNet-18's weights, with a head of 1000 classes as published ones have."""
    return resnet("resnet18", 1000).state_dict()


def without_counters(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As resnet18-f37072fd.pth has it: written before num_batches_tracked existed."""
    return {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}


def saved(folder: Path, name: str, content: Any) -> Path:
    path = folder / name
    if path.suffix == ".safetensors":
        safetensors.torch.save_file(content, path)
    else:
        torch.save(content, path)
    return path


@pytest.mark.parametrize("name", ["mine.safetensors", "mine.pth", "mine.pt"])
def test_weights_from_the_channel_replace_all_but_the_head(
    tmp_path: Path, state: dict[str, Tensor], name: str
) -> None:
    saved(tmp_path, name, state)
    network = model.build(parse({"weights": "pretrained"}), 3, tmp_path, MACHINE)
    assert network.fc.out_features == 3
    for key, value in network.state_dict().items():
        assert key.startswith("fc.") or torch.equal(value, state[key]), key


def test_official_files_without_batch_counters_are_accepted(tmp_path: Path, state: dict[str, Tensor]) -> None:
    saved(tmp_path, "resnet18-f37072fd.pth", without_counters(state))
    assert "layer4.1.bn2.weight" in weights.from_channel(tmp_path, "resnet18")


@pytest.mark.parametrize("wrap", ["state_dict", "model"])
def test_checkpoints_of_training_scripts_are_unwrapped(
    tmp_path: Path, state: dict[str, Tensor], wrap: str
) -> None:
    parallel = {f"module.{name}": value for name, value in state.items()}
    saved(tmp_path, "best.pth", {wrap: parallel, "epoch": 3})
    assert torch.equal(weights.from_channel(tmp_path, "resnet18")["conv1.weight"], state["conv1.weight"])


def test_of_several_files_the_one_named_after_the_network_is_taken(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    saved(tmp_path, "resnet18-f37072fd.pth", state)
    (tmp_path / "resnet50-19c8e357.pth").write_bytes(b"not looked at")
    assert weights.from_channel(tmp_path, "resnet18")


@pytest.mark.parametrize("names", [[], ["a.pth", "b.pth"], ["readme.txt"]])
def test_no_file_or_several_are_refused_with_what_is_there(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UnusableWeights, match=r"needs one .*there is: (no such file|a.pth, b.pth)"):
        weights.from_channel(tmp_path, "resnet18")


def test_weights_of_another_resnet_are_refused_by_its_name(tmp_path: Path, state: dict[str, Tensor]) -> None:
    saved(tmp_path, "w.safetensors", state)
    with pytest.raises(UnusableWeights, match="the weights of a resnet18, and the job trains a resnet50"):
        weights.from_channel(tmp_path, "resnet50")


def test_weights_of_another_kind_of_network_are_refused_by_the_missing_name(tmp_path: Path) -> None:
    saved(tmp_path, "w.pth", torchvision.models.squeezenet1_0(weights=None).state_dict())
    with pytest.raises(UnusableWeights, match=r"not the weights of a resnet18: conv1.weight .* is missing"):
        weights.from_channel(tmp_path, "resnet18")


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    broken = state | {"layer1.0.conv1.weight": torch.full((64, 64, 3, 3), float("nan"))}
    saved(tmp_path, "w.pth", broken)
    with pytest.raises(UnusableWeights, match=r"layer1.0.conv1.weight holds numbers that are not finite"):
        weights.from_channel(tmp_path, "resnet18")


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
@pytest.mark.parametrize("keep", [1, 100, 5_000, 1_000_000])
def test_a_file_cut_short_is_refused_as_damaged(
    tmp_path: Path, state: dict[str, Tensor], name: str, keep: int
) -> None:
    path = saved(tmp_path, name, state)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UnusableWeights, match="damaged or incomplete"):
        weights.read(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:5c\nsize 46830571\n", "Git LFS pointer"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"", "empty"),
    ],
)
@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_what_is_no_file_of_weights_is_said_to_be_what_it_is(
    tmp_path: Path, content: bytes, reason: str, name: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnusableWeights, match=reason):
        weights.read(tmp_path / name)


class Trap:
    """Pickled, it runs code when it is loaded."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.folder,)

    def __init__(self, folder: str) -> None:
        self.folder = folder


@pytest.mark.parametrize("plain", [True, False])
def test_code_in_a_file_is_refused_and_not_run(tmp_path: Path, plain: bool) -> None:
    sprung, path = tmp_path / "sprung", tmp_path / "w.pth"
    trap = {"state_dict": Trap(str(sprung))}
    if plain:
        path.write_bytes(pickle.dumps(trap))
    else:
        torch.save(trap, path)
    with pytest.raises(UnusableWeights, match="run code from the file"):
        weights.read(path)
    assert not sprung.exists()


def test_torchs_old_tar_format_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "w.pth", "w") as old:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            entry = tarfile.TarInfo(name)
            entry.size = 4
            old.addfile(entry, io.BytesIO(pickle.dumps(0)[:4]))
    with pytest.raises(UnusableWeights, match=r"old tar format.*save it once more with a current torch"):
        weights.read(tmp_path / "w.pth")


def test_imagenet_weights_without_internet_point_to_the_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: Any, **options: Any) -> None:
        assert options["weights_only"] is True
        raise urllib.error.URLError("no route")

    monkeypatch.setattr("torch.hub.load_state_dict_from_url", offline)
    with pytest.raises(
        UnusableWeights, match=r"could not be downloaded .*no route.*`classifier weights --arch resnet18`"
    ):
        weights.imagenet("resnet18")


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_imagenet_weights_are_the_ones_that_torchvision_takes_by_default(arch: str) -> None:
    assert weights.IMAGENET[arch] == torchvision.models.get_model_weights(arch).DEFAULT.url


def test_imagenet_weights_are_torchvisions_without_the_head(
    monkeypatch: pytest.MonkeyPatch, state: dict[str, Tensor]
) -> None:
    monkeypatch.setattr("torch.hub.load_state_dict_from_url", lambda *_, **__: state)
    taken = weights.imagenet("resnet18")
    assert set(taken) == set(state) - {"fc.weight", "fc.bias"}
