"""The network built from the weights is torchvision's; weights that do not fit are told, never unpickled."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from inference_code import network
from inference_code.artifact import BadArtifact
from tests.unit.inference_code.artifacts import trained_looking


@pytest.mark.parametrize("arch", ["resnet18", "resnet34", "resnet50"])
def test_it_answers_as_torchvisions_network_does(arch: str, tmp_path: Path) -> None:
    reference = trained_looking(arch, 5)
    save_file(reference.state_dict(), tmp_path / "model.safetensors")
    pictures = np.random.default_rng(3).standard_normal((2, 3, 64, 64), np.float32)
    with torch.inference_mode():
        expected = reference(torch.from_numpy(pictures)).numpy()
    scores = network.build(tmp_path / "model.safetensors", arch, 5)(pictures)
    assert np.abs(scores - expected).max() < 1e-4 * np.abs(expected).max()


def test_half_precision_and_missing_step_counts_are_taken(artifact_folder: Path, tmp_path: Path) -> None:
    tensors = load_file(artifact_folder / "model.safetensors")
    halved = {name: t.half() for name, t in tensors.items() if not name.endswith("num_batches_tracked")}
    save_file(halved, tmp_path / "half.safetensors")
    pictures = np.random.default_rng(3).standard_normal((1, 3, 32, 32), np.float32)
    full = network.build(artifact_folder / "model.safetensors", "resnet18", 3)(pictures)
    half = network.build(tmp_path / "half.safetensors", "resnet18", 3)(pictures)
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
        network.build(artifact_folder / "model.safetensors", arch, classes)


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
@pytest.mark.parametrize(("cuda", "level"), [("13.0", "WARNING"), (None, "INFO")])
def test_a_pytorch_made_for_cuda_warns_that_there_is_no_gpu(
    artifact_folder: Path,
    cuda: str | None,
    level: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.version, "cuda", cuda)
    with caplog.at_level("INFO"):
        network.build(artifact_folder / "model.safetensors", "resnet18", 3)
    told = [(line.levelname, line.fields["device"], line.fields["precision"]) for line in caplog.records]
    assert told == [(level, "cpu", "float32")]


@pytest.mark.parametrize("keep", [0, 7, 100, 5000, 30_000_000, -1])
def test_a_file_cut_short_is_told(artifact_folder: Path, tmp_path: Path, keep: int) -> None:
    whole = (artifact_folder / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[:keep])
    with pytest.raises(BadArtifact, match=r"model\.safetensors is damaged"):
        network.build(tmp_path / "model.safetensors", "resnet18", 3)


def test_a_pickle_under_the_name_of_the_weights_is_told_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "ran"

    class Payload:
        def __reduce__(self) -> object:
            return Path.touch, (trace,)

    (tmp_path / "model.safetensors").write_bytes(pickle.dumps(Payload()))
    with pytest.raises(BadArtifact, match="damaged"):
        network.build(tmp_path / "model.safetensors", "resnet18", 3)
    torch.save(trained_looking("resnet18", 3).state_dict(), tmp_path / "model.safetensors")
    with pytest.raises(BadArtifact, match="damaged"):
        network.build(tmp_path / "model.safetensors", "resnet18", 3)
    assert not trace.exists()
