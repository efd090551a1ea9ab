"""The OpenVINO form answers as PyTorch does, without PyTorch; a damaged one is told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import openvino
import openvino.opset13 as op
import pytest

from inference_code import inference
from inference_code.inference import Classifier
from inference_code.model import artifact, openvino_form, pytorch_form
from inference_code.model.bad_artifact import BadArtifact
from inference_code.model.dynamic_batcher import Scores
from tests.unit.inference_code.artifacts import TOLERANCE, add_graph, write_artifact, write_graph
from tests.unit.inference_code.pictures import answered, encoded, scene

FOLDER = Path(inference.__file__).parent


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An artifact per precision; read only."""
    root = tmp_path_factory.mktemp("graphs")
    return {precision: add_graph(write_artifact(root / precision), precision) for precision in TOLERANCE}


def copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


@pytest.mark.parametrize("precision", TOLERANCE)
def test_it_finds_pytorchs_class_with_pytorchs_probability(
    precision: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fast = inference.model_fn(str(folders[precision]))
    monkeypatch.setattr(inference, "FORM", "pytorch")
    reference = inference.model_fn(str(folders[precision]))
    for rotation in range(0, 360, 45):
        picture = scene((80, 60)).rotate(rotation)
        expected = answered(reference, picture, 3)
        for alone in (True, False):
            answer = answered(fast, picture, 3, alone)
            assert answer["predicted_class"] == expected["predicted_class"]
            assert answer["confidence"] == pytest.approx(expected["confidence"], abs=TOLERANCE[precision])


def test_a_model_from_before_alpha_had_a_use_is_served_as_it_was(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    graph = openvino.Core().read_model(folders["int8"] / "model.xml")
    (pixels,) = graph.get_parameters()
    readers = pixels.output(0).get_target_inputs()
    colours = op.parameter([1, 32, 32, 3], np.uint8, name="colours")
    one = op.slice(colours, *(np.array([number]) for number in (0, 1, 1, 3)))
    opaque = op.concat([colours, op.maximum(one, np.uint8(255))], 3)
    for reader in readers:
        reader.replace_source_output(opaque.output(0))
    graph.add_parameters([colours])
    graph.remove_parameter(pixels)
    folder = write_graph(write_artifact(tmp_path / "model"), graph, "int8")
    old, new = (inference.model_fn(str(each)) for each in (folder, folders["int8"]))
    for alone in (True, False):
        answers = [answered(model, scene((80, 60)), 3, alone) for model in (old, new)]
        assert answers[0]["confidence"] == pytest.approx(answers[1]["confidence"], abs=1e-3)


def test_threads_do_not_mix_their_answers_up(folders: dict[str, Path]) -> None:
    model = inference.model_fn(str(folders["int8"]))
    squares = np.random.default_rng(4).integers(0, 256, (8, 32, 32, 4), np.uint8)
    squares[..., 3] = 255
    expected = [model.network(square, False).result() for square in squares]
    wrong: list[int] = []

    def ask(number: int) -> None:
        for alone in (False, True) * 20:
            if not np.allclose(model.network(squares[number], alone).result(), expected[number], atol=1e-3):
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(squares))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert wrong == []


def test_a_model_with_a_serving_form_is_served_without_pytorch(folders: dict[str, Path]) -> None:
    program = (
        "import sys, io, inference; from PIL import Image;"
        "model = inference.model_fn(sys.argv[1]); inference.predict_fn("
        "inference.input_fn(open(sys.argv[2], 'rb').read(), 'image/jpeg'), model);"
        "print([name for name in ('torch', 'safetensors', 'scipy', 'pandas') if name in sys.modules])"
    )
    picture = folders["int8"].parent / "picture.jpg"
    picture.write_bytes(encoded(scene(), "JPEG"))
    command = [sys.executable, "-c", program, str(folders["int8"]), str(picture)]
    said = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


@pytest.mark.parametrize("missing", ["openvino", "serving form"])
def test_without_a_serving_form_pytorch_answers(
    missing: str, folders: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folders["int8"]
    if missing == "openvino":
        monkeypatch.setattr(inference, "_installed", lambda package: package != "openvino")
    else:
        folder = write_artifact(tmp_path / "model", serving={"form": "pytorch", "reason": "no openvino"})
    loaded: list[Any] = []
    monkeypatch.setattr(pytorch_form, "load", lambda source: loaded.append(source) or _even)
    inference.model_fn(str(folder))
    assert loaded


def _even(pixels: Any, alone: bool) -> Any:
    scores = Scores()
    scores.set_result(np.zeros(3, np.float32))
    return scores


def test_with_neither_the_way_out_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "_installed", lambda package: package != "torch")
    with pytest.raises(BadArtifact, match="WITH_TORCH=1"):
        inference.model_fn(str(write_artifact(tmp_path / "model")))


@pytest.mark.parametrize("name", ["model.xml", "model.bin"])
@pytest.mark.parametrize("damage", ["missing", "cut short", "one bit"])
def test_a_damaged_graph_is_told(name: str, damage: str, folders: dict[str, Path], tmp_path: Path) -> None:
    path = copied(folders["int8"], tmp_path / "model") / name
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "cut short":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    with pytest.raises(BadArtifact, match=rf"{name} is (missing|damaged)"):
        inference.model_fn(str(path.parent))


def redescribed(folder: Path, to: Path, **changes: Any) -> Path:
    """A copy whose model.json differs."""
    copied(folder, to)
    description = json.loads((to / "model.json").read_text())
    (to / "model.json").write_text(json.dumps(description | changes))
    return to


def test_a_graph_of_another_size_is_told(folders: dict[str, Path], tmp_path: Path) -> None:
    description = json.loads((folders["int8"] / "model.json").read_text())
    transform = description["transform"] | {"resize": 40, "crop": 40}
    folder = redescribed(folders["int8"], tmp_path / "model", transform=transform)
    with pytest.raises(BadArtifact, match=r"model\.xml is not this model: from 40 pixels to 3 classes"):
        inference.model_fn(str(folder))


def test_a_graph_that_openvino_cannot_read_is_told(folders: dict[str, Path], tmp_path: Path) -> None:
    import hashlib

    folder = copied(folders["f32"], tmp_path / "model")
    (folder / "model.xml").write_text("<net/>")
    serving = json.loads((folder / "model.json").read_text())["serving"]
    serving["files"]["model.xml"] = hashlib.sha256(b"<net/>").hexdigest()
    again = redescribed(folder, tmp_path / "again", serving=serving)
    with pytest.raises(BadArtifact, match=r"model\.xml cannot be compiled"):
        inference.model_fn(str(again))


@pytest.mark.parametrize(
    "serving",
    [
        "int8",
        {"form": "tensorrt"},
        {"form": "openvino", "precision": "int4", "files": {"model.xml": "", "model.bin": ""}},
        {"form": "openvino", "precision": "int8", "files": {"model.xml": ""}},
        {"form": "openvino", "precision": "int8", "files": {"../model.xml": "", "../model.bin": ""}},
    ],
)
def test_a_form_that_this_container_does_not_know_is_told(serving: Any, tmp_path: Path) -> None:
    with pytest.raises(BadArtifact, match="serving"):
        artifact.read(write_artifact(tmp_path / "model", serving=serving))


def test_a_request_alone_uses_all_cores_and_others_one_each(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    compiled = openvino_form._compiled

    def noted(*arguments: Any, streams: int, threads: int) -> openvino_form.Infer:
        asked.append((streams, threads))
        return compiled(*arguments, streams=streams, threads=threads)

    monkeypatch.setattr(openvino_form, "_compiled", noted)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    Classifier(artifact.read(folders["int8"]), "m", "0")
    assert asked == [(2, 2), (1, 2), (2, 2)]


def test_there_are_as_many_requests_as_are_computed_at_once_and_not_one_per_thread() -> None:
    made: list[Request] = []
    both = threading.Barrier(2)

    class Request:
        def __init__(self) -> None:
            made.append(self)

        def infer(self, inputs: list[Any], share_inputs: bool) -> list[Any]:
            if inputs[0] == "both":
                both.wait(120)
            return [(self, inputs[0])]

    compiled = SimpleNamespace(create_infer_request=Request)
    core = SimpleNamespace(compile_model=lambda *_: compiled)
    infer: Any = openvino_form._compiled(core, None, SimpleNamespace(precision="int8"), streams=1, threads=1)  # type: ignore[arg-type]

    def in_threads(*squares: str) -> list[Any]:
        with ThreadPoolExecutor(len(squares)) as threads:
            return list(threads.map(infer, squares))

    for square in "abc":
        assert in_threads(square) == [(made[0], square)]
    assert {request for request, _ in in_threads("both", "both")} == {*made}
    assert len(made) == 2
