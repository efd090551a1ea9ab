"""The network built from the weights is torchvision's; weights that do not fit are told, never unpickled."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from contract import nvidia
from inference_code.environment import NoGpu
from inference_code.model import pytorch_form
from inference_code.model.bad_artifact import BadArtifact
from tests.unit.inference_code.artifacts import trained_looking


@pytest.mark.parametrize("arch", ["resnet18", "resnet34", "resnet50"])
def test_it_answers_as_torchvisions_network_does(arch: str, tmp_path: Path) -> None:
    reference = trained_looking(arch, 5)
    save_file(reference.state_dict(), tmp_path / "model.safetensors")
    pictures = np.random.default_rng(3).standard_normal((2, 3, 64, 64), np.float32)
    with torch.inference_mode():
        expected = reference(torch.from_numpy(pictures)).numpy()
    scores = pytorch_form.build(tmp_path / "model.safetensors", arch, 5)(pictures)[:, :5]
    assert np.abs(scores - expected).max() < 1e-4 * np.abs(expected).max()


def test_a_small_stem_is_known_by_its_weights(tmp_path: Path) -> None:
    reference = trained_looking("resnet18", 5)
    reference.conv1 = torch.nn.Conv2d(3, 64, 3, padding=1, bias=False)
    reference.maxpool = torch.nn.Identity()
    save_file(reference.state_dict(), tmp_path / "model.safetensors")
    pictures = np.random.default_rng(3).standard_normal((2, 3, 32, 32), np.float32)
    with torch.inference_mode():
        expected = reference(torch.from_numpy(pictures)).numpy()
    scores = pytorch_form.build(tmp_path / "model.safetensors", "resnet18", 5)(pictures)[:, :5]
    assert np.abs(scores - expected).max() < 1e-4 * np.abs(expected).max()


def test_half_precision_and_missing_step_counts_are_taken(artifact_folder: Path, tmp_path: Path) -> None:
    tensors = load_file(artifact_folder / "model.safetensors")
    halved = {name: t.half() for name, t in tensors.items() if not name.endswith("num_batches_tracked")}
    save_file(halved, tmp_path / "half.safetensors")
    pictures = np.random.default_rng(3).standard_normal((1, 3, 32, 32), np.float32)
    full = pytorch_form.build(artifact_folder / "model.safetensors", "resnet18", 3)(pictures)
    half = pytorch_form.build(tmp_path / "half.safetensors", "resnet18", 3)(pictures)
    assert np.abs(full - half).max() < 0.02 * np.abs(full).max()


@pytest.mark.parametrize(
    ("arch", "classes", "message"),
    [
        ("resnet34", 3, r"not a resnet34: layer1\.2\.bn1\.bias is missing"),
        ("resnet50", 3, "not a resnet50"),
        ("resnet18", 4, r"fc\.weight has shape \[3, 512\], not \[4, 512\]"),
    ],
)
def test_another_architecture_is_told(artifact_folder: Path, arch: str, classes: int, message: str) -> None:
    with pytest.raises(BadArtifact, match=message):
        pytorch_form.build(artifact_folder / "model.safetensors", arch, classes)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize(("cuda", "levels"), [("13.0", ["WARNING", "INFO"]), (None, ["INFO"])])
def test_a_pytorch_made_for_cuda_warns_that_there_is_no_gpu(
    artifact_folder: Path,
    cuda: str | None,
    levels: list[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.version, "cuda", cuda)
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", "void")
    with caplog.at_level("INFO"):
        pytorch_form.build(artifact_folder / "model.safetensors", "resnet18", 3)
    assert [line.levelname for line in caplog.records] == levels
    fields = caplog.records[-1].fields
    assert (fields["device"], fields["precision"]) == ("cpu", "float32")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_an_image_for_a_gpu_does_not_answer_without_one_and_names_driver_and_versions(
    artifact_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", "all")
    (tmp_path / "version").write_text(
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.183.01  Sun May 12"
    )
    monkeypatch.setattr(nvidia, "DRIVER", tmp_path / "version")
    with pytest.raises(NoGpu, match=r"driver 535\.183\.01, PyTorch .*CUDA 13\.0.*DEVICES=void"):
        pytorch_form.build(artifact_folder / "model.safetensors", "resnet18", 3)


def test_an_image_without_cuda_has_no_gpu_to_miss(
    artifact_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("NVIDIA_VISIBLE_DEVICES", "all")
    pytorch_form.build(artifact_folder / "model.safetensors", "resnet18", 3)


@pytest.mark.parametrize("keep", [0, 7, 100, 5000, 30_000_000, -1])
def test_a_file_cut_short_is_told(artifact_folder: Path, tmp_path: Path, keep: int) -> None:
    whole = (artifact_folder / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:keep])
    with pytest.raises(BadArtifact, match=r"model\.safetensors is damaged"):
        pytorch_form.build(tmp_path / "model.safetensors", "resnet18", 3)


def test_a_pickle_under_the_name_of_the_weights_is_told_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"

    class Payload:
        def __reduce__(self) -> object:
            return Path.touch, (trace,)

    (tmp_path / "model.safetensors").write_bytes(pickle.dumps(Payload()))
    with pytest.raises(BadArtifact, match="damaged"):
        pytorch_form.build(tmp_path / "model.safetensors", "resnet18", 3)
    torch.save(trained_looking("resnet18", 3).state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(BadArtifact, match="damaged"):
        pytorch_form.build(tmp_path / "model.safetensors", "resnet18", 3)
    assert not trace.exists()
