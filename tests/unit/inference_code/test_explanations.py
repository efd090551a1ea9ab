"""`explain=true`: where the answered class was seen, of any network that lets it be told, and of no other."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from contract.answers.explanation import NOT_LINEAR, NOT_POOLED, ONE_PLACE, where
from contract.pictures.transform import Transform
from inference_code import inference
from inference_code.api_error import ApiError
from inference_code.inference import Classifier, Query
from inference_code.model import artifact, openvino_form, pytorch_form
from inference_code.model.artifact import Artifact, Graph
from inference_code.model.explanations import Explainer
from inference_code.picture import read
from tests.unit.inference_code.artifacts import (
    CLASSES,
    DESCRIPTION,
    TOLERANCE,
    add_graph,
    randomise_norms,
    trained_looking,
)
from tests.unit.inference_code.pictures import encoded, scene

SIDE = 96
TRANSFORM = DESCRIPTION["transform"] | {"resize": 110, "crop": SIDE}


def written(folder: Path, arch: str, precision: str = "f32", side: int = SIDE) -> Path:
    """An artifact of a network with random weights and its graph, for pictures of this side."""
    folder.mkdir()
    if arch == "resnet18":
        network = trained_looking(arch, len(CLASSES))
    else:
        torch.manual_seed(5)
        size: dict[str, Any] = {"img_size": side} if "vit" in arch else {}
        network = timm.create_model(arch, num_classes=len(CLASSES), **size).eval()
        randomise_norms(network)
    save_file(network.state_dict(), folder / "model.safetensors")
    (folder / "classes.json").write_text(json.dumps(CLASSES))
    transform = TRANSFORM | {"resize": side + 14, "crop": side}
    (folder / "model.json").write_text(
        json.dumps(DESCRIPTION | {"arch": arch, "image_size": side, "transform": transform})
    )
    return add_graph(folder, precision)


@pytest.fixture(scope="module")
def resnets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A ResNet-18 per precision; read only."""
    root = tmp_path_factory.mktemp("explained")
    return {each: written(root / each, "resnet18", each) for each in TOLERANCE}


def asked(model: Classifier, picture: Image.Image, explain: bool = True) -> dict[str, Any]:
    return inference.predict_fn(Query(read(encoded(picture, "PNG")), 3, explain), model)


def test_a_map_is_the_shares_of_places_in_a_score_against_the_mean_of_all() -> None:
    by_place = np.array([[[1.0, 0, 2], [5, 0, 1]], [[1, 1, 1], [0, 9, 0]]], np.float32)
    assert where(by_place, 0).tolist() == [[0, 1], [0, 0]]
    assert where(by_place, 2).tolist() == [[1, 0], [0, 0]]
    assert where(by_place + 7, 0).tolist() == [[0, 1], [0, 0]], "what counts for all classes counts for none"
    assert where(np.ones((2, 2, 3), np.float32), 1).tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("precision", TOLERANCE)
def test_an_explained_answer_is_the_plain_one_and_a_map(precision: str, resnets: dict[str, Path]) -> None:
    model = inference.model_fn(str(resnets[precision]))
    plain, explained = (asked(model, scene((150, 100)), each) for each in (False, True))
    told = explained.pop("explanation")
    assert explained == plain
    assert told["class"] == plain["predicted_class"]
    assert told["class_index"] == plain["class_index"]
    rows = np.array(told["map"])
    assert rows.shape == (3, 3)
    assert (rows.min() >= 0, rows.max()) == (True, 1)
    assert told["box"] == pytest.approx([0.2, 0.0636, 0.7818, 0.9364], abs=0.01)


@pytest.mark.parametrize("precision", TOLERANCE)
def test_places_add_up_to_the_scores(precision: str, resnets: dict[str, Path]) -> None:
    """What the whole adds is the score without its bias, which is of no place: in both forms."""
    source = artifact.read(resnets[precision])
    assert source.graph is not None
    square = np.asarray(scene((SIDE, SIDE)).convert("RGBA"))
    bias = trained_looking("resnet18", len(CLASSES)).get_parameter("fc.bias").detach().numpy()
    by_graph = openvino_form.explainer(source, source.graph)(square).mean((0, 1)) + bias
    by_torch = pytorch_form.explainer(source)(square).mean((0, 1)) + bias
    scores = pytorch_form.load(source)(square, True).result()[: len(CLASSES)]
    assert by_torch == pytest.approx(scores, abs=1e-4)
    most = {"int8": 0.1, "bf16": 0.02, "f32": 1e-4}[precision]
    assert np.abs(by_graph - scores).max() < most * np.abs(scores).max()


def test_a_place_of_the_map_is_that_place_of_the_picture(resnets: dict[str, Path]) -> None:
    """What changes in one corner changes the map towards that corner, and in both forms alike."""
    source = artifact.read(resnets["f32"])
    assert source.graph is not None
    by_graph, by_torch = openvino_form.explainer(source, source.graph), pytorch_form.explainer(source)
    plain = np.full((SIDE, SIDE, 4), 128, np.uint8)
    plain[..., 3] = 255
    middles = {}
    for down, across in ((0, 0), (0, 1), (1, 0)):
        marked = plain.copy()
        noise = np.random.default_rng(6).integers(0, 256, (32, 32, 3))
        marked[64 * down :, 64 * across :][:32, :32, :3] = noise
        assert by_graph(marked) == pytest.approx(by_torch(marked), abs=1e-3)
        change = np.abs(by_torch(marked) - by_torch(plain)).sum(2)
        change /= change.sum()
        middles[down, across] = change.sum(1) @ np.arange(3), change.sum(0) @ np.arange(3)
    for axis, other in ((0, (1, 0)), (1, (0, 1))):
        assert middles[other][axis] > middles[0, 0][axis] + 0.2
        assert middles[other][1 - axis] == pytest.approx(middles[0, 0][1 - axis], abs=0.15)


@pytest.mark.parametrize("form", ["openvino", "pytorch"])
@pytest.mark.parametrize(
    ("arch", "side", "reason"),
    [
        ("efficientnet_lite0", 64, None),
        ("resnetv2_50", 64, None),
        ("mobilenetv3_small_050", 64, NOT_LINEAR),
        ("vit_tiny_patch16_224", 64, NOT_POOLED),
        ("resnet18", 32, ONE_PLACE),
    ],
)
def test_a_network_whose_places_have_no_share_says_so(
    arch: str, side: int, reason: str | None, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "model", arch, side=side)
    monkeypatch.setattr(inference, "FORM", form)
    answer = asked(inference.model_fn(str(folder)), scene())
    assert answer.get("explanation_missing") == reason
    assert (answer["explanation"] is None) == (reason is not None)
    assert answer["predicted_class"] in CLASSES


def test_there_is_no_second_network_before_it_is_asked_for(
    resnets: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    explainer = openvino_form.explainer

    def counted(source: Artifact, graph: Graph) -> Explainer:
        made.append("one")
        return explainer(source, graph)

    monkeypatch.setattr(openvino_form, "explainer", counted)
    model = inference.model_fn(str(resnets["int8"]))
    before = set(threading.enumerate())
    query = Query(read(encoded(scene(), "PNG")), 3)
    inference.predict_fn(query, model)
    assert made == []
    assert query.square is None, "no pixels are kept"
    assert set(threading.enumerate()) <= before, "and no thread waits for it"
    first, second = (asked(model, scene()) for _ in range(2))
    assert first == second
    assert made == ["one"]


@pytest.mark.parametrize(
    ("attributes", "explain"),
    [
        (None, False), ("", False), ("top_k=3", False), ("explain=false", False), ("explain=true", True),
        ("top_k=3,explain=true", True), ("explain=true;top_k=3", True), ("not_explain=true", False),
    ],
)  # fmt: skip
def test_the_custom_attributes_ask_for_it(attributes: str | None, explain: bool) -> None:
    class Context:
        def get_request_header(self, index: int, key: str) -> str | None:
            return attributes

    assert inference.input_fn(encoded(scene(), "JPEG"), "image/jpeg", Context()).explain is explain


@pytest.mark.parametrize("value", ["1", "True", "yes", "", "truefalse"])
def test_another_wish_is_refused(value: str) -> None:
    class Context:
        def get_request_header(self, index: int, key: str) -> str | None:
            return f"explain={value}"

    with pytest.raises(ApiError, match="InvalidExplain") as refused:
        inference.input_fn(encoded(scene(), "JPEG"), "image/jpeg", Context())
    assert refused.value.status == 400


@pytest.mark.parametrize("size", [(150, 100), (100, 150), (64, 64), (3000, 10), (10, 3000)])
@pytest.mark.parametrize("mode", ["shorter", "exact"])
def test_the_box_is_what_the_network_is_shown(size: tuple[int, int], mode: Any) -> None:
    """Cut out by hand and resized, it is the network's square."""
    transform = Transform(110, mode, 96, jpeg_draft=None)
    left, top, right, bottom = transform.seen(size)
    assert 0 <= left < right <= 1
    assert 0 <= top < bottom <= 1
    across, down = ((np.arange(length) + 0.5) / length for length in size)
    ramp = np.stack([np.tile(across, (size[1], 1)), np.tile(down[:, None], (1, size[0]))], 2)
    picture = Image.fromarray((ramp * 255).astype(np.uint8)[..., [0, 1, 1]])
    square = transform.pixels(picture).astype(float) / 255
    assert square[:, :, 0].mean() == pytest.approx((left + right) / 2, abs=0.02)
    assert square[:, :, 1].mean() == pytest.approx((top + bottom) / 2, abs=0.02)
    assert np.ptp(square[:, :, 0].mean(0)) == pytest.approx(right - left, abs=0.03 + 1 / size[0])
