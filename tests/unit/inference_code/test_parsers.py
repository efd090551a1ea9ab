"""Whatever lies in a model's folder, stands in the environment or comes in a header: refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inference_code import environment, limits, wishes
from inference_code.api_error import ApiError
from inference_code.environment import BadSetting
from inference_code.model import artifact
from inference_code.model.bad_artifact import BadArtifact
from inference_code.serving.settings import Settings
from tests.unit.anything import DEEP, LONG, changed, json_values, refusal, texts
from tests.unit.inference_code.artifacts import CLASSES, DESCRIPTION

SERVING = {"form": "openvino", "precision": "int8", "files": {"model.xml": "0" * 64, "model.bin": "0" * 64}}
TOLD: dict[str, Any] = DESCRIPTION | {"serving": SERVING}
VALUES = json_values([*TOLD, *TOLD["transform"]], ["resnet18", "bilinear", "shorter", "../model.xml"])


def read(folder: Path, description: str, classes: str) -> str:
    (folder / "model.json").write_text(description)
    (folder / "classes.json").write_text(classes)
    (folder / "model.safetensors").write_bytes(b"")
    return refusal(BadArtifact, artifact.read, folder)


@given(st.data())
def test_any_description_of_a_model_is_read_or_a_bad_artifact(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    description = json.dumps(changed(TOLD, data.draw, VALUES))
    classes = json.dumps(changed(CLASSES, data.draw, VALUES))
    assert len(read(tmp_path_factory.mktemp("model"), description, classes)) < 2_000


@pytest.mark.parametrize("number", ["1" + "0" * 400, "NaN", "Infinity", "1e999", "-1e300"])
@pytest.mark.parametrize("key", ["mean", "std"])
def test_a_channel_is_normalised_by_a_number_there_is(key: str, number: str, tmp_path: Path) -> None:
    own = json.dumps(TOLD["transform"][key])
    description = json.dumps(TOLD).replace(own, own.replace("]", "").rpartition(",")[0] + f", {number}]")
    assert "not three numbers" in read(tmp_path, description, json.dumps(CLASSES))


@pytest.mark.parametrize("text", ["", "{", DEEP, LONG, "null", "[]", "\ufeff{}"])
def test_what_is_no_json_is_a_bad_artifact(text: str, tmp_path: Path) -> None:
    assert read(tmp_path, text, json.dumps(CLASSES))
    assert read(tmp_path, json.dumps(TOLD), text)


TEXTS = texts("0", "1", "8080", "65536", "-1", "1.5", "inf", "nan", " 5 ").filter(
    lambda text: "\0" not in text
)


@given(TEXTS.filter(lambda text: text.isprintable()))
@example(LONG)
def test_any_environment_gives_settings_or_names_the_variable(text: str) -> None:
    for name in ("SAGEMAKER_BIND_TO_PORT", "SERVE_QUEUE", "SERVE_REQUEST_SECONDS"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(name, text)
            said = refusal(BadSetting, Settings.from_environment)
        assert not said or name in said


@given(TEXTS.filter(lambda text: text.isprintable()))
def test_the_largest_picture_is_a_whole_number_or_the_variable_is_named(text: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MAX_IMAGE_BYTES", text)
        said = refusal(BadSetting, environment.whole, "MAX_IMAGE_BYTES", 5, 1, 100)
    assert not said or "MAX_IMAGE_BYTES" in said


@given(texts("top_k=3", "top_k=", "top_k=0", "top_k=1001", f"top_k={LONG}", "a=1,top_k=٣"))
def test_any_custom_attributes_say_how_many_or_are_refused(text: str) -> None:
    said = refusal(ApiError, wishes.top_k, text)
    assert not said or "InvalidTopK" in said


@given(texts("explain=true", "explain=", "explain=false,top_k=1", f"explain={LONG}", "a=1,explain=\u1d57"))
def test_any_custom_attributes_ask_why_or_not_or_are_refused(text: str) -> None:
    said = refusal(ApiError, wishes.explain, text)
    assert not said or "InvalidExplain" in said


@given(
    texts(
        "image/jpeg",
        "image/",
        "text/html; charset=x",
        "application/octet-stream\n",
        ";",
        "multipart/form-data",
    )
)
def test_any_content_type_is_taken_or_refused(text: str) -> None:
    said = refusal(ApiError, limits.check_content_type, text)
    assert not said or "UnsupportedMediaType" in said
