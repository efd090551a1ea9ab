"""A model that leaves as ONNX answers as it did here, picture by picture."""

from __future__ import annotations

import importlib.util
import io
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import openvino
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from contract.answers.confidence import Confidence
from contract.pictures import file
from contract.pictures.transform import Transform
from tests.unit.training_code.test_serving_form import random_network
from training_code import onnx_export
from training_code.onnx_export import CannotExport, export

CLASSES = ["ant", "bee", "wasp", "fly", "moth"]


def model(folder: Path, arch: str, calibration: dict[str, Any] | None = None) -> Path:
    """An artifact of a network with random weights."""
    folder.mkdir()
    save_file(dict(random_network(arch).state_dict()), folder / "model.safetensors")
    card = {"arch": arch, "transform": Transform.of(arch, 64).describe(), "calibration": calibration}
    (folder / "model.json").write_text(json.dumps(card))
    (folder / "classes.json").write_text(json.dumps(CLASSES))
    return folder


@pytest.mark.parametrize(
    ("arch", "form"),
    [
        ("resnet18", None),
        ("resnet18", {"temperature": 1.7, "slope": 0.8, "offsets": [0.1, -0.2, 0.0, 0.3, -0.1]}),
        ("tf_efficientnet_lite0", {"temperature": 0.6, "slope": 1.0, "offsets": None}),
    ],
)
def test_the_graph_answers_what_the_network_and_its_calibration_do(
    tmp_path: Path, arch: str, form: dict[str, Any] | None
) -> None:
    folder = model(tmp_path / "model", arch, {"forms": {"pytorch": form}} if form else None)
    export(folder, tmp_path / "out")
    asked = openvino.Core().compile_model(
        tmp_path / "out" / "model.onnx", "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), np.uint8)
    network, transform = random_network(arch), Transform.of(arch, 64)
    with torch.inference_mode():
        scores = network(torch.from_numpy(np.concatenate([transform.normalised(each) for each in pixels])))
    form = form or {"temperature": 1.0, "slope": 1.0, "offsets": None}
    offsets = None if form["offsets"] is None else np.array(form["offsets"])
    expected = Confidence(form["temperature"], form["slope"], offsets).shares(scores.numpy())
    assert np.abs(asked([pixels])[0] - expected).max() < 1e-4
    assert np.abs(np.concatenate([asked([each[None]])[0] for each in pixels]) - expected).max() < 1e-4


def script(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script that was written, with no onnxruntime behind it."""
    stand_in = SimpleNamespace(InferenceSession=lambda *_, **__: None)
    monkeypatch.setitem(sys.modules, "onnxruntime", stand_in)
    spec = importlib.util.spec_from_file_location("exported_script", folder / "classify.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_script_says_what_it_needs_where_a_package_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_export, "_write_graph", lambda *_: None)
    export(model(tmp_path / "model", "resnet18"), tmp_path / "out")
    without = "import runpy, sys; sys.modules['onnxruntime'] = None; runpy.run_path(sys.argv[1])"
    place = str(tmp_path / "out" / "classify.py")
    done = subprocess.run([sys.executable, "-c", without, place], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == ("This needs onnxruntime, numpy and Pillow: pip install onnxruntime numpy pillow\n")


@pytest.mark.parametrize("size", [(640, 427), (90, 300), (64, 64), (61, 33), (1201, 800)])
@pytest.mark.parametrize("image_size", [32, 64, 96])
def test_the_script_prepares_pictures_as_the_endpoint_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], image_size: int
) -> None:
    monkeypatch.setattr(onnx_export, "_write_graph", lambda *_: None)
    folder = model(tmp_path / "model", "resnet18")
    card = json.loads((folder / "model.json").read_text())
    transform = Transform.of("resnet18", image_size)
    (folder / "model.json").write_text(json.dumps(card | {"transform": transform.describe()}))
    export(folder, tmp_path / "out")
    noise = np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    for kind, options in (("jpeg", {"exif": exif}), ("png", {})):
        buffer = io.BytesIO()
        Image.fromarray(noise).save(buffer, kind, **options)
        (tmp_path / f"picture.{kind}").write_bytes(buffer.getvalue())
        ours = transform.pixels(file.decode(buffer.getvalue(), transform.enough))
        theirs = script(tmp_path / "out", monkeypatch).pixels(tmp_path / f"picture.{kind}")
        assert np.array_equal(theirs, ours)


def test_a_folder_that_is_there_and_a_model_that_is_none_are_refused_and_nothing_is_left(
    tmp_path: Path,
) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(CannotExport, match="is there already"):
        export(model(tmp_path / "model", "resnet18"), tmp_path / "there")
    (tmp_path / "model" / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(CannotExport, match="holds no model"):
        export(tmp_path / "model", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert onnx_export.main([str(tmp_path / "nowhere"), str(tmp_path / "out")]) == 1
