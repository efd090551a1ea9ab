"""What an answer says of itself: confidence, certain, unlike training; as training chose, in each form."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from contract.answers.appearance import NUMBERS, Appearance, described
from contract.answers.confidence import Likeness
from contract.calibration import LIKENESS
from inference_code import inference
from inference_code.model import artifact
from inference_code.model.bad_artifact import BadArtifact
from tests.unit.inference_code.artifacts import add_graph, write_artifact
from tests.unit.inference_code.pictures import answered, scene

FORM = {"temperature": 2.0, "slope": 1.0, "offsets": None, "certain_from": 0.2, "like_from": None}


LOOKS = Appearance(described(np.asarray(scene((32, 32)))), np.eye(NUMBERS, dtype=np.float32), 1.0)
"""Of pictures like the scene; noise lies several times as far."""


def noise() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))


def likeness(features: int = 512, classes: int = 3, looks: Appearance | None = None) -> Likeness:
    random = np.random.default_rng(0)
    directions = np.linalg.qr(random.normal(size=(features, 8)))[0]
    means = random.normal(size=(classes, 8))
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    centre, scales = np.zeros(features), np.ones(8)
    arrays = (each.astype(np.float32) for each in (centre, directions, scales))
    return Likeness(*arrays, outside=1.0, means=means.astype(np.float32), appearance=looks)


def promising(
    folder: Path, *, with_likeness: bool = False, looks: Appearance | None = None, **forms: Any
) -> Path:
    """The artifact with a calibration of these forms."""
    digest = ""
    if with_likeness:
        likeness(looks=looks).write(folder / LIKENESS)
        digest = hashlib.sha256((folder / LIKENESS).read_bytes()).hexdigest()
    card = json.loads((folder / "model.json").read_text())
    card["calibration"] = {"precision": 0.95, "sha256": digest, "forms": forms}
    (folder / "model.json").write_text(json.dumps(card))
    return folder


def test_an_artifact_of_before_is_served_as_it_was(tmp_path: Path) -> None:
    folder = add_graph(write_artifact(tmp_path / "model"), "f32")
    answer = answered(inference.model_fn(str(folder)), scene((80, 60)), 3)
    assert (answer["certain"], answer["unlike_training"]) == (None, None)
    assert sum(each["confidence"] for each in answer["predictions"]) == pytest.approx(1, abs=1e-5)


def test_each_form_answers_by_its_own_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = add_graph(write_artifact(tmp_path / "model"), "f32")
    plain = answered(inference.model_fn(str(folder)), scene((80, 60)), 3)
    promising(folder, openvino=FORM, pytorch=FORM | {"temperature": 1.0, "certain_from": 1.0})
    served = answered(inference.model_fn(str(folder)), scene((80, 60)), 3)
    monkeypatch.setattr(inference, "FORM", "pytorch")
    torch = answered(inference.model_fn(str(folder)), scene((80, 60)), 3)
    assert torch["confidence"] == pytest.approx(plain["confidence"], abs=1e-4)
    assert (torch["certain"], served["certain"]) == (False, True)
    shares = np.array([each["confidence"] for each in plain["predictions"]]) ** 0.5
    expected = dict(zip([each["class"] for each in plain["predictions"]], shares / shares.sum(), strict=True))
    for each in served["predictions"]:
        assert each["confidence"] == pytest.approx(expected[each["class"]], abs=1e-4)


@pytest.mark.parametrize("form", ["openvino", "pytorch"])
def test_unlike_pictures_are_marked_and_never_certain(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "FORM", form)
    folder = add_graph(write_artifact(tmp_path / "model"), "int8")
    picture = scene((80, 60))
    marks = {}
    for edge in (-1.0, 1.0):
        promising(folder, with_likeness=True, **{form: FORM | {"like_from": edge}})
        model = inference.model_fn(str(folder))
        answers = [answered(model, picture, 3, alone) for alone in (True, False)]
        assert answers[0] == answers[1], "alone and in a batch"
        marks[edge] = answers[0]["unlike_training"], answers[0]["certain"]
    assert marks == {-1.0: (False, True), 1.0: (True, False)}


@pytest.mark.parametrize("form", ["openvino", "pytorch"])
def test_a_picture_that_looks_like_no_training_picture_is_unlike_whatever_the_network_says(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "FORM", form)
    folder = add_graph(write_artifact(tmp_path / "model"), "f32")
    promising(folder, with_likeness=True, **{form: FORM | {"like_from": -1.0}})
    seen = inference.model_fn(str(folder))
    assert [answered(seen, each, 3)["unlike_training"] for each in (scene((80, 60)), noise())] == [
        False,
        False,
    ]
    promising(folder, with_likeness=True, looks=LOOKS, **{form: FORM | {"like_from": -1.0}})
    model = inference.model_fn(str(folder))
    for alone in (True, False):
        marks = [answered(model, each, 3, alone)["unlike_training"] for each in (scene((80, 60)), noise())]
        assert marks == [False, True]


def test_a_graph_that_tells_no_features_leaves_the_mark_open(tmp_path: Path) -> None:
    import openvino

    from tests.unit.inference_code.artifacts import write_graph

    folder = add_graph(write_artifact(tmp_path / "model"), "f32")
    graph = openvino.Core().read_model(folder / "model.xml")
    graph.remove_result(graph.get_results()[1])
    again = write_graph(write_artifact(tmp_path / "again"), graph, "f32")
    promising(again, with_likeness=True, openvino=FORM | {"like_from": 0.5})
    answer = answered(inference.model_fn(str(again)), scene((80, 60)), 3)
    assert (answer["unlike_training"], answer["certain"]) == (None, True)


def test_the_first_class_is_the_one_with_the_highest_score(tmp_path: Path) -> None:
    folder = write_artifact(tmp_path / "model")
    plain = answered(inference.model_fn(str(folder)), scene((80, 60)), 3)
    offsets = [0.0] * 3
    offsets[plain["class_index"]] = -9.0
    promising(folder, pytorch=FORM | {"offsets": offsets})
    answer = answered(inference.model_fn(str(folder)), scene((80, 60)), 3)
    assert answer["predicted_class"] == plain["predicted_class"]
    assert answer["confidence"] < 0.01


@pytest.mark.parametrize(
    "calibration",
    [
        [],
        "0.95",
        {"sha256": ""},
        {"sha256": "", "forms": []},
        {"sha256": "", "forms": {"pytorch": {}}},
        *(
            {"sha256": "", "forms": {"pytorch": FORM | wrong}}
            for wrong in (
                {"temperature": 0},
                {"temperature": float("nan")},
                {"slope": 1.5},
                {"offsets": [1.0]},
                {"offsets": [1.0, float("inf"), 0.0]},
                {"certain_from": "high"},
                {"like_from": float("inf")},
            )
        ),
    ],
)
def test_a_calibration_that_no_training_writes_is_told(calibration: Any, tmp_path: Path) -> None:
    with pytest.raises(BadArtifact, match="calibration"):
        artifact.read(write_artifact(tmp_path / "model", calibration=calibration))


@pytest.mark.parametrize("damage", ["missing", "one bit"])
def test_a_damaged_likeness_is_told(damage: str, tmp_path: Path) -> None:
    folder = promising(write_artifact(tmp_path / "model"), with_likeness=True, pytorch=FORM)
    content = bytearray((folder / LIKENESS).read_bytes())
    content[100] ^= 1
    (folder / LIKENESS).write_bytes(content)
    if damage == "missing":
        (folder / LIKENESS).unlink()
    with pytest.raises(BadArtifact, match=rf"{LIKENESS} is (missing|damaged)"):
        artifact.read(folder)
