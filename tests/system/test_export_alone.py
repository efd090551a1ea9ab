"""A model that left runs by onnxruntime alone, in an environment without anything of this project.

The environment is its own: onnxruntime wants a newer protobuf than this project's smdebug takes.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import save_file

from contract.pictures.transform import Transform
from inference_code import inference
from tests.unit.inference_code.artifacts import DESCRIPTION, add_graph
from tests.unit.training_code.test_serving_form import random_network
from training_code.onnx_export import export

pytestmark = [pytest.mark.timeout(900), pytest.mark.long]

CLASSES = ["ant", "bee", "wasp", "fly", "moth"]
SIDE = 64
ALONE = ("onnxruntime==1.32.0", "numpy", "pillow")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with what the script says it needs, and nothing else."""
    folder = tmp_path_factory.mktemp("alone") / "environment"
    uv, made = str(Path(sys.executable).with_name("uv")), folder / "bin" / "python"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], check=True)
    subprocess.run([uv, "pip", "install", "--quiet", "--python", str(made), *ALONE], check=True)
    without = (
        "import importlib.util as i; assert not any(map(i.find_spec, ('torch', 'contract', 'openvino')))"
    )
    subprocess.run([str(made), "-I", "-c", without], check=True)
    return made


def artifact(folder: Path, arch: str) -> Path:
    """A model of random weights in the form that a CPU endpoint serves, in floats."""
    folder.mkdir()
    save_file(dict(random_network(arch).state_dict()), folder / "model.safetensors")
    (folder / "classes.json").write_text(json.dumps(CLASSES))
    told = {"arch": arch, "num_classes": len(CLASSES), "image_size": SIDE}
    card = DESCRIPTION | told | {"transform": Transform.of(arch, SIDE).describe()}
    (folder / "model.json").write_text(json.dumps(card))
    return add_graph(folder, "f32")


def written(folder: Path) -> list[Path]:
    """Pictures of several sizes and kinds, one of them lying on its side."""
    random, paths = np.random.default_rng(0), []
    exif = Image.Exif()
    exif[0x0112] = 6
    for number, size in enumerate([(300, 200), (90, 310), (64, 64), (61, 33), (1201, 800), (500, 375)]):
        rough = random.integers(0, 256, (9, 9, 3), np.uint8)
        picture = Image.fromarray(rough).resize(size, Image.Resampling.BICUBIC)
        kind, options = (("jpeg", {"exif": exif}), ("png", {}), ("jpeg", {}))[number % 3]
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        paths.append(folder / f"{number}.{kind}")
        paths[-1].write_bytes(buffer.getvalue())
    return paths


@pytest.mark.parametrize(
    "arch", ["resnet18", "tf_efficientnet_lite0", "convnext_atto", "mobilenetv4_conv_small"]
)
def test_the_script_answers_as_the_server_does(tmp_path: Path, python: Path, arch: str) -> None:
    folder = artifact(tmp_path / "model", arch)
    export(folder, tmp_path / "out")
    paths = written(tmp_path)
    command = [str(python), "-I", str(tmp_path / "out" / "classify.py"), *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/")
    server = inference.model_fn(str(folder))
    assert server.form == "openvino"
    for line, path in zip(done.stdout.splitlines(), paths, strict=True):
        name, *told = line.split("\t")
        assert name == str(path)
        theirs = {label: float(share) for label, share in (each.rsplit(" ", 1) for each in told)}
        answer: dict[str, Any] = inference.predict_fn(
            inference.input_fn(path.read_bytes(), f"image/{path.suffix[1:]}"), server
        )
        assert next(iter(theirs)) == answer["predicted_class"]
        assert abs(theirs[answer["predicted_class"]] - answer["confidence"]) < 2e-3
