"""A job asks the champion its own test pictures, and a champion that cannot be asked ends no job."""

from __future__ import annotations

import gzip
import io
import json
import math
import tarfile
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from contract.pictures.transform import Transform
from tests.unit.training_code.samples import COUNTS, MACHINE, TINY, dataset
from training_code.config import parse
from training_code.data.batches import Batches
from training_code.data.dataset import Dataset, Found, find, load
from training_code.evaluation import champion
from training_code.evaluation.scores import evaluate
from training_code.network.resnet import ResNet, resnet
from training_code.stopping import StopSignal

CONFIG = parse(TINY)
CLASSES = ("dark", "light")


@pytest.fixture(scope="module")
def network() -> ResNet:
    torch.manual_seed(3)
    return resnet("resnet18", 2)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Found, Dataset]:
    """The candidate's pictures."""
    root = dataset(tmp_path_factory.mktemp("asked"))
    found = find({split: root / split for split in COUNTS}, CONFIG)
    return found, load(found, CONFIG, StopSignal())


def artifact(
    folder: Path, network: ResNet, classes: tuple[str, ...] = CLASSES, size: int = 16, **card: Any
) -> Path:
    """A model.tar.gz of this network, tested on other pictures."""
    facts = {
        "training_job": "p-old",
        "arch": "resnet18",
        "image_size": size,
        "transform": Transform.of_size(size).describe(),
        "data": {"test": {"fingerprint": "e" * 64}},
        **card,
    }
    (folder / "model.json").write_text(json.dumps(facts))
    (folder / "classes.json").write_text(json.dumps(classes))
    safetensors.torch.save_file(network.state_dict(), folder / "model.safetensors")
    with tarfile.open(folder / "model.tar.gz", "w:gz", compresslevel=0) as tar:
        for name in ("model.json", "classes.json", "model.safetensors"):
            tar.add(folder / name, f"./{name}")
    return folder / "model.tar.gz"


def score(archive: Path, asked: tuple[Found, Dataset]) -> dict[str, Any] | None:
    found, pictures = asked
    return champion.score(archive, found, pictures, CONFIG, MACHINE, StopSignal())


def test_it_is_asked_what_the_candidate_is_asked(
    tmp_path: Path, network: ResNet, asked: tuple[Found, Dataset]
) -> None:
    pictures = asked[1]
    batches = Batches(pictures.test, pictures.transform, CONFIG, MACHINE)
    expected = evaluate(network, batches, 2, StopSignal())
    assert score(artifact(tmp_path, network), asked) == {
        "training_job": "p-old",
        "accuracy": expected.accuracy,
        "predicted": expected.predicted.tolist(),
    }


def test_it_sees_them_in_the_size_it_was_made_for(
    tmp_path: Path, network: ResNet, asked: tuple[Found, Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    sides = []
    monkeypatch.setattr(
        ResNet, "forward", lambda self, x, from_freeze_point: sides.append(x.shape[-1]) or x[:, :2, 0, 0]
    )
    told = score(artifact(tmp_path, network, size=24), asked)
    assert told is not None
    assert len(told["predicted"]) == len(asked[1].test)
    assert set(sides) == {24}


def test_nothing_is_asked_twice(tmp_path: Path, network: ResNet, asked: tuple[Found, Dataset]) -> None:
    same = {"test": {"fingerprint": asked[1].test.fingerprint}}
    assert score(artifact(tmp_path, network, data=same), asked) is None
    assert score(tmp_path / "no champion.tar.gz", asked) is None


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"classes": ("dark", "grey")}, "tells other classes apart"),
        ({"arch": "resnet50"}, "has weights that fit no network of this training code"),
        ({"arch": None}, "has weights that fit no network of this training code"),
        ({"transform": {"resize": 5}}, "prepares its pictures in another way than this training code"),
        ({"arch": ["resnet18"]}, "has weights that fit no network of this training code"),
        ({"image_size": "large"}, "does not say how its pictures are prepared"),
        ({"image_size": math.inf}, "does not say how its pictures are prepared"),
        ({"image_size": 10**6}, "does not say how its pictures are prepared"),
        ({"image_size": [[]]}, "does not say how its pictures are prepared"),
    ],
)
def test_one_that_cannot_be_asked_is_told_with_its_reason(
    members: dict[str, Any], why: str, tmp_path: Path, network: ResNet, asked: tuple[Found, Dataset]
) -> None:
    assert score(artifact(tmp_path, network, **members), asked) == {"training_job": "p-old", "why": why}


def _header(kind: bytes, size: int) -> bytes:
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


def _model(**members: bytes) -> bytes:
    parts = {"model.json": b"{}", "classes.json": b"[]", "model.safetensors": b"", **members}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in parts.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        None,
        gzip.compress(_header(tarfile.XHDTYPE, 2**31) + bytes(4096)),
        gzip.compress(_header(tarfile.GNUTYPE_LONGNAME, 0) * 5000),
        gzip.compress(_header(b"0", -1024) * 2 + bytes(4096)),
        _model(**{"model.json": b"[" * 100_000}),
        _model(**{"model.json": b"9" * 5000}),
        _model(**{"model.safetensors": b"\xff" * 64}),
    ],
    # Named, for an archive holds the time at which it was made.
    ids=(
        "empty",
        "no archive",
        "none",
        "an endless header",
        "names without end",
        "negative sizes",
        "deep JSON",
        "a long number",
        "damaged weights",
    ),
)
def test_what_is_no_model_ends_no_job(
    content: bytes | None, tmp_path: Path, asked: tuple[Found, Dataset]
) -> None:
    archive = tmp_path / "model.tar.gz"
    if content is None:
        with tarfile.open(archive, "w:gz"):
            pass
    else:
        archive.write_bytes(content)
    assert score(archive, asked) == {"training_job": "", "why": "cannot be read as a model of this project"}
