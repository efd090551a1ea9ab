"""A network of timm's is served by PyTorch, as training left it, and opens in plain timm."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from contract import timm_models
from inference_code.model import artifact, pytorch_form
from inference_code.model.bad_artifact import BadArtifact
from tests.unit.inference_code.artifacts import CLASSES, DESCRIPTION, add_graph, randomise_norms
from training_code.network.fresh import fresh

ROOT = Path(__file__).parents[3]
ARCHITECTURES = ("mobilenetv4_conv_small", "vit_tiny_patch16_224")


def written(folder: Path, arch: str) -> tuple[Path, torch.nn.Module]:
    """An artifact of a network with random weights, and the network."""
    torch.manual_seed(5)
    size: dict[str, Any] = {"img_size": 32} if "vit" in arch else {}
    network = timm.create_model(arch, num_classes=len(CLASSES), **size).eval()
    randomise_norms(network)
    folder.mkdir()
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "classes.json").write_text(json.dumps(CLASSES))
    (folder / "model.json").write_text(json.dumps(DESCRIPTION | {"arch": arch}))
    return folder, network


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_its_scores_are_timms(tmp_path: Path, arch: str) -> None:
    folder, network = written(tmp_path / "model", arch)
    pictures = np.random.default_rng(1).normal(size=(2, 3, 32, 32)).astype(np.float32)
    told = pytorch_form.build(folder / "model.safetensors", arch, len(CLASSES), side=32)(pictures)
    scores, features = np.split(told, [len(CLASSES)], axis=1)
    with torch.inference_mode():
        assert np.allclose(scores, network(torch.from_numpy(pictures)).numpy(), atol=1e-4)
        by_head = network.get_classifier()(torch.from_numpy(features))  # type: ignore[operator]
    assert np.allclose(scores, by_head.numpy(), atol=1e-4)


def test_the_serving_form_needs_no_name_of_the_network(tmp_path: Path) -> None:
    folder, network = written(tmp_path / "model", "mobilenetv4_conv_small")
    add_graph(folder, "f32")
    description = json.loads((folder / "model.json").read_text()) | {"arch": "of_the_future"}
    (folder / "model.json").write_text(json.dumps(description))
    from inference_code.model import openvino_form

    source = artifact.read(folder)
    assert source.graph is not None
    pixels = np.random.default_rng(2).integers(0, 256, (32, 32, 4), np.uint8)
    pixels[..., 3] = 255
    told = openvino_form.load(source, source.graph)(pixels, True).result()
    scores = told[: len(CLASSES)]
    with torch.inference_mode():
        expected = network(torch.from_numpy(source.transform.normalised(pixels)))[0].numpy()
    assert np.abs(scores - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize(
    ("arch", "classes", "says"),
    [
        ("vit_tiny_patch16_224", len(CLASSES), "is not a vit_tiny_patch16_224"),
        ("mobilenetv4_conv_small", 7, "of 7 classes"),
        ("of_the_future", len(CLASSES), "is not a of_the_future"),
    ],
)
def test_another_networks_file_is_told(tmp_path: Path, arch: str, classes: int, says: str) -> None:
    folder, _ = written(tmp_path / "model", "mobilenetv4_conv_small")
    with pytest.raises(BadArtifact, match=says):
        pytorch_form.build(folder / "model.safetensors", arch, classes, side=32)


def test_an_image_without_timm_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, _ = written(tmp_path / "model", "mobilenetv4_conv_small")

    def none() -> Any:
        raise ImportError

    monkeypatch.setattr(timm_models, "timm", none)
    with pytest.raises(BadArtifact, match=r"served by timm, which this image lacks; train it again"):
        pytorch_form.build(folder / "model.safetensors", "mobilenetv4_conv_small", len(CLASSES), side=32)


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_the_three_lines_of_the_docs_open_it_in_plain_timm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arch: str
) -> None:
    folder, network = written(tmp_path / "model", arch)
    card = json.loads((folder / "model.json").read_text())
    card["timm"] = fresh(arch, len(CLASSES), 32).settings  # as training writes it
    (folder / "model.json").write_text(json.dumps(card))
    page = (ROOT / "docs" / "networks.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    code = [line for line in lines.splitlines() if line and not line.startswith("import ")]
    assert len(code) == 3
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(lines, names)
    with torch.inference_mode():
        pictures = torch.randn(1, 3, 32, 32)
        assert torch.equal(names["model"].eval()(pictures), network(pictures))
    assert "timm" in sys.modules
