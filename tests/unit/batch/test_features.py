"""Features beside a batch's answers: one row for each picture that was classified, however the job went."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from batch.features import Compact, Rows, as_text
from batch.job import CannotBegin
from batch.parts import Parts
from contract.batch import FEATURES_WIDTH, features_file
from inference_code import inference
from tests.unit.batch.jobs import lay_out, lines, listed, pack
from tests.unit.batch.test_batch import BROKEN, PETS, picture, run, started
from tests.unit.inference_code.artifacts import add_graph, write_artifact


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return add_graph(write_artifact(tmp_path_factory.mktemp("artifact") / "model"), "f32")


@pytest.fixture(scope="module")
def archive(model: Path) -> Path:
    return pack(model, model.parent / "model.tar.gz")


def rows(base: Path, share: int = 1, shares: int = 1) -> dict[str, NDArray[np.float16]]:
    """The features of each picture that has an answer."""
    found = np.load(base / "model" / features_file(share - 1, shares), allow_pickle=False)
    answered = [line["key"] for line in lines(base, share, shares) if "error" not in line]
    assert len(found) == len(answered) == len(set(answered))
    return dict(zip(answered, found, strict=True))


def said(model: Path, pictures: dict[str, bytes]) -> dict[str, NDArray[np.float16]]:
    """The same by the functions that serve."""
    classifier = inference.model_fn(str(model))
    compact = Compact(classifier.width)
    return {
        name: compact(classifier.features(classifier.scores(inference.input_fn(content, None)).result()))
        for name, content in pictures.items()
    }


def same(some: dict[str, Any], others: dict[str, Any]) -> bool:
    return some.keys() == others.keys() and all(
        np.allclose(some[name], others[name], rtol=0.01, atol=0.01) for name in some
    )


def test_each_classified_picture_has_its_row_in_the_order_of_the_answers(
    tmp_path: Path, model: Path, archive: Path
) -> None:
    run(lay_out(tmp_path, archive, {**PETS, **BROKEN}, features="true"))
    found = rows(tmp_path)
    assert len(lines(tmp_path)) == 24
    assert len(found) == 21
    assert all("features" not in line for line in lines(tmp_path))
    decodable = {name: content for name, content in {**PETS, **BROKEN}.items() if name in found}
    assert same(found, said(model, decodable))
    assert all(row.shape == (FEATURES_WIDTH,) and row.dtype == np.float16 for row in found.values())


def test_without_being_asked_nothing_is_kept(tmp_path: Path, archive: Path) -> None:
    run(lay_out(tmp_path, archive, PETS))
    assert not list((tmp_path / "model").glob("*.npy"))
    (part,) = (tmp_path / "checkpoints").iterdir()
    assert all(line.split(" ")[1] == "1" for line in part.read_text().splitlines())


def test_what_was_answered_without_features_is_asked_again_and_what_could_not_be_is_not(
    tmp_path: Path, archive: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(lay_out(tmp_path, archive, {**PETS, **BROKEN}))
    before = {line["key"]: line for line in lines(tmp_path)}
    run(lay_out(tmp_path, archive, {**PETS, **BROKEN}, features="true"))
    assert "24 pictures, 3 answered before" in capsys.readouterr().out
    assert rows(tmp_path).keys() == {key for key, line in before.items() if "error" not in line}
    assert {line["key"]: line for line in lines(tmp_path)} == before
    run(tmp_path)
    assert "24 pictures, 24 answered before" in capsys.readouterr().out
    first = rows(tmp_path)
    run(lay_out(tmp_path, archive, {**PETS, **BROKEN}))
    assert "24 pictures, 24 answered before" in capsys.readouterr().out, "features are in nobody's way"
    assert {line["key"]: line for line in lines(tmp_path)} == before
    assert len(first) == 21


def test_a_killed_job_loses_and_doubles_no_row(tmp_path: Path, model: Path, archive: Path) -> None:
    many = {f"{number}.jpg": picture(number) for number in range(2500)} | BROKEN
    base, parts = lay_out(tmp_path, archive, many, features="true"), tmp_path / "checkpoints"
    job, deadline = started(base), time.monotonic() + 120
    while not list(parts.glob("[!.]*.part")) and job.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    job.kill()
    job.communicate(timeout=60)
    (parts / ".unfinished-x.part").write_text("half")
    again = started(base)
    output, _ = again.communicate(timeout=120)
    assert again.returncode == 0
    assert f"{len(many):,} pictures, 0 answered before" not in output
    killed = rows(base)
    assert len(killed) == len(many) - 3
    some = {name: many[name] for name in list(killed)[::100]}
    assert same({name: killed[name] for name in some}, said(model, some))


def test_instances_share_the_rows_as_they_share_the_answers(tmp_path: Path, archive: Path) -> None:
    pictures = {**PETS, **BROKEN}
    found: dict[str, NDArray[np.float16]] = {}
    for host in range(3):
        base = lay_out(tmp_path / str(host), archive, pictures, hosts=3, host=host, features="true")
        run(base)
        share = rows(base, host + 1, 3)
        assert not found.keys() & share.keys()
        found |= share
    run(lay_out(tmp_path / "alone", archive, pictures, features="true"))
    assert same(found, rows(tmp_path / "alone"))


def test_a_model_that_tells_no_features_cannot_begin(
    tmp_path: Path, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference.Classifier, "features", lambda self, told: told[len(told) :])
    with pytest.raises(CannotBegin, match="train it again"):
        run(lay_out(tmp_path, archive, PETS, features="true"))


def test_a_part_of_before_features_is_read(tmp_path: Path) -> None:
    one, other, ours = listed({"a": b"a", "b": b"b", "c": b"c"})
    old = Parts(tmp_path)
    old.add(one, {"key": "a", "predicted_class": "ant"})
    old.add(other, {"key": "b", "error": {"code": "EmptyBody", "message": "no"}})
    old.add(ours, {"key": "c", "error": {"code": "PictureNotRead", "message": "no"}})
    old.close()
    assert [each.final for each in old.kept()] == [True, True, False]
    wanting = Parts(tmp_path, features=True)
    assert [json.loads(each.text)["key"] for each in wanting.kept()] == ["b", "c"]


def test_small_features_keep_the_distances_and_need_no_generator() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(60, 1280)).astype(np.float32)
    compact = Compact(1280)
    small = np.stack([compact(each) for each in points]).astype(np.float32)
    before, after = (
        np.linalg.norm(each[:, None] - each[None], axis=2)[np.triu_indices(60, 1)] for each in (points, small)
    )
    assert np.abs(after / before - 1).max() < 0.25
    assert (Compact(1280)(points[0]) == compact(points[0])).all()
    few = points[0, :FEATURES_WIDTH]
    assert (Compact(FEATURES_WIDTH)(few) == few.astype(np.float16)).all(), "what is small stays as it is"
    assert np.isfinite(compact(points[0] * 1e9)).all()


def test_a_file_of_rows_is_numpys_whether_it_has_many_or_none(tmp_path: Path) -> None:
    with Rows(tmp_path / "none.npy"):
        pass
    assert np.load(tmp_path / "none.npy").shape == (0, 0)
    with Rows(tmp_path / "many.npy") as file:
        for number in range(12_345):
            file.add(as_text(np.array([number, 1], np.float16)))
        with pytest.raises(ValueError, match="beside others"):
            file.add(as_text(np.array([1], np.float16)))
    found = np.load(tmp_path / "many.npy", allow_pickle=False)
    assert found.shape == (12_345, 2)
    assert found[77].tolist() == [77, 1]
