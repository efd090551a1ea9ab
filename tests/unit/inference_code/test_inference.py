"""SageMaker's four functions, called as AWS's inference toolkit calls them."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
import types
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

import contract
import inference_code
from inference_code import api_error, inference, limits
from inference_code.api_error import ApiError
from inference_code.inference import Classifier
from tests.unit.inference_code.artifacts import CLASSES, DESCRIPTION
from tests.unit.inference_code.pictures import answered, encoded, scene

JPEG = encoded(scene(), "JPEG")


@dataclass(frozen=True)
class Context:
    attributes: str | None

    def get_request_header(self, index: int, key: str) -> str | None:
        return self.attributes if key == "X-Amzn-SageMaker-Custom-Attributes" else None


@pytest.fixture(scope="module")
def model(artifact_folder: Path) -> Classifier:
    return inference.model_fn(str(artifact_folder))


def test_a_picture_gets_its_classes_most_probable_first(model: Classifier) -> None:
    prediction = inference.predict_fn(inference.input_fn(JPEG, "image/jpeg"), model)
    body, content_type = inference.output_fn(prediction, "application/json")
    answer = json.loads(body)
    assert content_type == "application/json"
    assert answer["predictions"][0] == {
        "class": answer["predicted_class"],
        "class_index": answer["class_index"],
        "confidence": answer["confidence"],
    }
    confidences = [each["confidence"] for each in answer["predictions"]]
    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) == pytest.approx(1, abs=1e-5)
    assert [CLASSES[each["class_index"]] for each in answer["predictions"]] == [
        each["class"] for each in answer["predictions"]
    ]
    assert answer["model"] == {"name": DESCRIPTION["training_job"], "version": "0"}


def test_the_class_is_the_one_that_torchvisions_network_finds(model: Classifier) -> None:
    import torch

    from tests.unit.inference_code.artifacts import trained_looking
    from tests.unit.inference_code.test_transform import by_torchvision

    picture = scene()
    batch = by_torchvision(picture, model._transform)
    with torch.inference_mode():
        shares = trained_looking("resnet18", 3)(torch.from_numpy(batch)).softmax(1)[0]
    answer = answered(model, picture, 3)
    assert answer["class_index"] == int(shares.argmax())
    assert answer["confidence"] == pytest.approx(float(shares.max()), abs=1e-4)


def test_a_registered_model_is_told_by_its_package_and_version(
    artifact_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arn = "arn:aws-cn:sagemaker:cn-north-1:123456789012:model-package/classifier/12"
    monkeypatch.setenv("MODEL_PACKAGE_ARN", arn)
    answer = answered(inference.model_fn(str(artifact_folder)), scene(), 1)
    assert answer["model"] == {"name": "classifier", "version": "12"}


@pytest.mark.parametrize(
    ("attributes", "top_k"),
    [
        (None, 5), ("", 5), ("trace=7", 5), ("not_top_k=9", 5), ("top_k=1", 1), ("trace=7,top_k=3", 3),
        ("top_k=3;x=1", 3), ("top_k=1000", 1000),
    ],
)  # fmt: skip
def test_the_number_of_classes_comes_from_the_custom_attributes(attributes: str | None, top_k: int) -> None:
    assert inference.input_fn(JPEG, "image/jpeg", Context(attributes)).top_k == top_k


@pytest.mark.parametrize("value", ["0", "-1", "1001", "three", "", "1.5", "٣", "99999999999"])
def test_a_number_of_classes_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(ApiError, match="InvalidTopK") as refused:
        inference.input_fn(JPEG, "image/jpeg", Context(f"top_k={value}"))
    assert refused.value.status == 400


def test_more_classes_than_there_are_are_all_of_them(model: Classifier) -> None:
    assert len(answered(model, scene(), 1000)["predictions"]) == len(CLASSES)


@pytest.mark.parametrize(
    "content_type",
    [None, "image/jpeg", "IMAGE/PNG", "image/webp; q=1", "application/x-image", "application/octet-stream"],
)
def test_the_bytes_decide_the_format_whatever_picture_type_is_named(content_type: str | None) -> None:
    assert inference.input_fn(JPEG, content_type).picture.decoded().size == scene().size


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/csv", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"],
)
def test_another_content_type_is_refused(content_type: str) -> None:
    with pytest.raises(ApiError, match="UnsupportedMediaType") as refused:
        inference.input_fn(JPEG, content_type)
    assert refused.value.status == 415


def test_a_body_above_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_IMAGE_BYTES", len(JPEG) - 1)
    with pytest.raises(ApiError, match="PayloadTooLarge") as refused:
        inference.input_fn(JPEG, "image/jpeg")
    assert refused.value.status == 413
    monkeypatch.setattr(limits, "MAX_IMAGE_BYTES", len(JPEG))
    assert inference.input_fn(JPEG, "image/jpeg").picture.decoded().size == scene().size


def test_weights_with_nan_do_not_load(artifact_folder: Path, tmp_path: Path) -> None:
    for name in ("model.json", "classes.json"):
        (tmp_path / name).write_bytes((artifact_folder / name).read_bytes())
    tensors = load_file(artifact_folder / "model.safetensors")
    tensors["fc.bias"][1] = float("nan")
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(inference.BadArtifact, match="NaN"):
        inference.model_fn(str(tmp_path))


def test_the_functions_take_what_the_toolkit_hands_them() -> None:
    # It counts parameters: as many as its arguments, or one more, which is the context.
    from inspect import signature

    arguments = {"model_fn": 1, "input_fn": 2, "predict_fn": 2, "output_fn": 2}
    for name, count in arguments.items():
        assert len(signature(getattr(inference, name)).parameters) == count + 1


def test_the_toolkit_finds_the_functions_in_an_archives_code_folder(
    artifact_folder: Path, tmp_path: Path
) -> None:
    code = tmp_path / "code"
    code.mkdir()
    for package in (contract, inference_code):
        home = Path(str(package.__file__)).parent
        shutil.copytree(home, code / home.name)
    shutil.copy(Path(inference.__file__), code)
    # The toolkit puts that folder on the path and imports the file by its bare name.
    ask = f"import inference; print(type(inference.model_fn({str(artifact_folder)!r})).__name__)"
    done = subprocess.run(
        [sys.executable, "-c", ask],
        cwd=code,
        env=os.environ | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "Classifier", done.stderr


def test_under_the_toolkit_a_refusal_is_the_toolkits_own_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class ToolkitError(Exception):
        def __init__(self, status_code: int, message: str, phrase: str) -> None:
            self.status_code, self.message, self.phrase = status_code, message, phrase
            super().__init__(status_code, message, phrase)

    errors = types.ModuleType("sagemaker_inference.errors")
    errors.BaseInferenceToolkitError = ToolkitError  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sagemaker_inference", types.ModuleType("sagemaker_inference"))
    monkeypatch.setitem(sys.modules, "sagemaker_inference.errors", errors)
    specification = importlib.util.spec_from_file_location("api_error_there", api_error.__file__)
    assert specification
    assert specification.loader
    there = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(there)
    error = there.ApiError(api_error.HTTPStatus.BAD_REQUEST, "EmptyBody", "Nothing was sent.")
    assert isinstance(error, ToolkitError)
    assert (error.status_code, error.phrase, error.message) == (400, "EmptyBody", "Nothing was sent.")


def test_a_one_colour_picture_is_answered(model: Classifier) -> None:
    assert answered(model, Image.new("RGB", (1, 1), "red"), 1)["predicted_class"] in CLASSES
