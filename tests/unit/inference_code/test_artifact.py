"""A model artifact that cannot be served is told by the file that is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inference_code.model import artifact
from inference_code.model.bad_artifact import BadArtifact
from tests.unit.inference_code.artifacts import CLASSES, DESCRIPTION


def write(folder: Path, description: Any = DESCRIPTION, classes: Any = CLASSES) -> Path:
    (folder / "model.json").write_text(json.dumps(description))
    (folder / "classes.json").write_text(json.dumps(classes))
    (folder / "model.safetensors").write_bytes(b"not looked at here")
    return folder


def test_a_sound_artifact_says_what_it_is(tmp_path: Path) -> None:
    read = artifact.read(write(tmp_path))
    assert (read.arch, read.classes, read.training_job) == (
        "resnet18",
        tuple(CLASSES),
        "classifier-demo-final",
    )
    assert (read.transform.resize, read.transform.resize_mode, read.transform.crop) == (36, "shorter", 32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 2"),
        ({"arch": ""}, "no architecture"),
        ({"arch": None}, "architecture"),
        ({"num_classes": 4}, "4 classes"),
        ({"transform": None}, "transform"),
        ({"transform": DESCRIPTION["transform"] | {"resize": 10}}, "larger than"),
        ({"transform": DESCRIPTION["transform"] | {"resize": "36"}}, "resize"),
        ({"transform": DESCRIPTION["transform"] | {"crop": 0}}, "crop"),
        ({"transform": DESCRIPTION["transform"] | {"crop": True}}, "crop"),
        ({"transform": DESCRIPTION["transform"] | {"resize": 10**9}}, "resize"),
        ({"transform": DESCRIPTION["transform"] | {"resize_mode": "longer"}}, "longer"),
        ({"transform": DESCRIPTION["transform"] | {"interpolation": "lanczos"}}, "lanczos"),
        ({"transform": DESCRIPTION["transform"] | {"mean": [0.5, 0.5]}}, "mean"),
        ({"transform": DESCRIPTION["transform"] | {"std": [0, 0, 0]}}, "std"),
        ({"transform": DESCRIPTION["transform"] | {"jpeg_draft": 0}}, "jpeg_draft"),
    ],
)
def test_a_description_that_cannot_be_served_is_told(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(BadArtifact, match=message):
        artifact.read(write(tmp_path, DESCRIPTION | changes))


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([], "at least two"),
        (["ant"], "at least two"),
        (["ant", "bee"], "3 classes, classes.json names 2"),
        (["ant", "bee", "bee"], "twice"),
        (["ant", "bee", ""], "list of class names"),
        ({"0": "ant"}, "list of class names"),
    ],
)
def test_classes_that_do_not_fit_are_told(tmp_path: Path, classes: Any, message: str) -> None:
    with pytest.raises(BadArtifact, match=message):
        artifact.read(write(tmp_path, classes=classes))


@pytest.mark.parametrize("name", ["model.json", "classes.json", "model.safetensors"])
def test_a_missing_file_is_told_with_what_is_there(tmp_path: Path, name: str) -> None:
    (write(tmp_path) / name).unlink()
    with pytest.raises(BadArtifact, match=rf"{name} is missing; the folder holds .*model"):
        artifact.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
@pytest.mark.parametrize("name", ["model.json", "classes.json"])
def test_a_file_that_is_not_json_is_told(tmp_path: Path, name: str, content: bytes) -> None:
    (write(tmp_path) / name).write_bytes(content)
    with pytest.raises(BadArtifact, match=f"{name} is not JSON"):
        artifact.read(tmp_path)


def test_a_description_that_is_no_object_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadArtifact, match="must hold an object"):
        artifact.read(write(tmp_path, description=[1]))


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadArtifact, match="no model folder"):
        artifact.read(tmp_path / "model")


def test_weights_that_this_user_may_not_read_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "os.access", lambda path, mode: False
    )  # root, who may run this test, may read anything
    with pytest.raises(BadArtifact, match="mode 644"):
        artifact.read(write(tmp_path))
