"""Frozen features give the numbers of training without them, and are shared by the jobs of a run."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.unit.training_code.samples import TINY, load, numbers, train
from training_code.config import parse
from training_code.data import feature_cache
from training_code.data.stores import FolderStore, S3Store, Stores
from training_code.job import Job
from training_code.training.progress import Trained

FLIPS = {"trainable_from": "layer4", "augment": "flip", "image_size": "32", "epochs": "2"}


def without_features(monkeypatch: pytest.MonkeyPatch, pictures: Path, **hyperparameters: str) -> Trained:
    with monkeypatch.context() as patched:
        patched.setattr(feature_cache, "MAX_VARIANTS", 0)
        return train(pictures, None, **hyperparameters)


@pytest.mark.parametrize(
    "hyperparameters",
    [
        FLIPS,
        FLIPS | {"trainable_from": "fc", "augment": "none", "optimizer": "adamw"},
        FLIPS | {"augment": "crop-flip", "crop_places": "2", "epochs": "4", "trainable_from": "fc"},
        FLIPS | {"augment": "trivial", "crop_places": "2", "epochs": "4", "random_erasing": "0.5"},
    ],
    ids=["layer4 and flips", "fc", "fc and four crops", "four views drawn"],
)
def test_training_on_features_has_the_numbers_of_training_on_pictures(
    pictures: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    hyperparameters: dict[str, str],
) -> None:
    plain = without_features(monkeypatch, pictures, **hyperparameters)
    assert "frozen features" not in capsys.readouterr().out
    kept = train(pictures, None, **hyperparameters)
    assert "frozen features of 12 train pictures" in capsys.readouterr().out
    for ours, theirs in zip(numbers(kept), numbers(plain), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize(
    ("hyperparameters", "says"),
    [
        ({"augment": "trivial"}, r"come in \d{10} views, and of more than 2"),
        ({"augment": "crop-flip", "crop_places": "2"}, "come in 4 views, and of more than 2"),
    ],
)
def test_the_log_says_why_nothing_is_kept(
    pictures: Path, capsys: pytest.CaptureFixture[str], hyperparameters: dict[str, str], says: str
) -> None:
    train(pictures, None, **FLIPS | {"image_size": "64"} | hyperparameters)
    told = capsys.readouterr().out
    assert re.search(f"frozen stages are computed anew in every epoch: train pictures {says}", told)


def test_a_second_job_finds_everything_and_decodes_nothing(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = FLIPS | {"feature_cache": str(tmp_path), "epochs": "1"}
    first = train(pictures, None, **shared)
    assert "0 of 2 shards found, 2 to compute" in capsys.readouterr().out
    monkeypatch.setattr(
        "training_code.data.decoded_images.decode", lambda *_: pytest.fail("a picture was decoded")
    )
    second = train(pictures, None, **shared, job=Job(tmp_path / "elsewhere", "second"))
    assert "2 of 2 shards found, 0 to compute" in capsys.readouterr().out
    assert numbers(second) == numbers(first)


def test_another_learning_rate_or_batch_shares_and_other_pictures_or_weights_do_not(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = FLIPS | {"feature_cache": str(tmp_path), "epochs": "1", "trainable_from": "fc"}
    train(pictures, None, **shared)
    capsys.readouterr()
    for change, found in (
        ({"learning_rate": "0.02", "batch_size": "6", "optimizer": "adamw"}, True),
        ({"seed": "5"}, False),  # weights none: they are drawn by the seed
        ({"train_fraction": "0.5"}, False),
        ({"trainable_from": "layer4"}, False),
        ({"precision": "bfloat16"}, True),  # the tests' machine computes in float32 whatever is asked
    ):
        train(pictures, None, **(shared | change))
        told = capsys.readouterr().out
        assert (", 0 to compute" in told.split("train pictures")[1].splitlines()[0]) is found, change


def test_a_damaged_shard_is_computed_again(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = FLIPS | {"feature_cache": str(tmp_path), "epochs": "1"}
    first = train(pictures, None, **shared)
    for path in tmp_path.rglob("00-*.safetensors"):
        path.write_bytes(path.read_bytes()[:-7])
    assert numbers(train(pictures, None, **shared)) == numbers(first)
    assert "1 of 2 shards found, 1 to compute" in capsys.readouterr().out


def test_two_jobs_at_once_share_the_work(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the other job puts between our looking and our computing is taken, not computed."""
    shared = FLIPS | {"feature_cache": str(tmp_path), "epochs": "1"}
    train(pictures, None, **shared)
    real, looked = Stores.get, set()

    def late(self: Stores, name: str) -> bytes | None:
        if name in looked:
            return real(self, name)
        looked.add(name)
        return None

    monkeypatch.setattr(Stores, "get", late)
    monkeypatch.setattr(FolderStore, "put", lambda *_: pytest.fail("computed though another job had it"))
    monkeypatch.setattr(
        feature_cache.Stores,
        "put",
        lambda self, name, content: None if name.endswith("json") else pytest.fail(name),
    )
    train(pictures, None, **shared)


def test_a_channel_of_features_is_read_and_not_written(pictures: Path, tmp_path: Path) -> None:
    job = Job(tmp_path / "job", "with a channel")
    shared = FLIPS | {"epochs": "1"}
    first = train(pictures, None, **shared, feature_cache=str(job.features))
    before = sorted(job.features.rglob("*"))
    assert numbers(train(pictures, None, **shared, job=job)) == numbers(first)
    other = shared | {"trainable_from": "fc"}
    train(pictures, None, **other, job=job)
    assert sorted(job.features.rglob("*")) == before


def test_a_store_that_fails_costs_one_warning_and_not_the_job(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    trained = train(pictures, None, **FLIPS, feature_cache=str(tmp_path / "file" / "below"))
    assert len(trained.history) == 2
    assert capsys.readouterr().out.count("warning: frozen features are not shared") == 1


@pytest.mark.parametrize("uri", ["s3://bucket/no-slash", "s3://"])
def test_an_address_that_is_none_is_said_and_trained_without(
    uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not Stores(tmp_path / "none", uri)
    assert "not of the form s3://bucket/prefix/" in capsys.readouterr().out


def test_s3_is_asked_for_the_prefix_and_what_is_missing_or_forbidden_is_not_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept: dict[str, bytes] = {}

    class Refused(Exception):
        def __init__(self, code: str) -> None:
            self.response = {"Error": {"Code": code}}

    class Body:
        def __init__(self, content: bytes) -> None:
            self.read = lambda: content

    class Fake:
        exceptions = type("E", (), {"NoSuchKey": KeyError, "ClientError": Refused})

        def get_object(self, Bucket: str, Key: str) -> dict[str, Body]:
            if Key.endswith("forbidden"):
                raise Refused("AccessDenied")
            if Key.endswith("broken"):
                raise Refused("SlowDown")
            return {"Body": Body(kept[f"{Bucket}/{Key}"])}

        def put_object(self, Bucket: str, Key: str, Body: bytes) -> None:
            kept[f"{Bucket}/{Key}"] = Body

    monkeypatch.setattr("boto3.client", lambda *_, **__: Fake())
    store = S3Store("s3://art/features/dogs/")
    store.put("k/1", b"x")
    assert kept == {"art/features/dogs/k/1": b"x"}
    assert store.get("k/1") == b"x"
    assert store.get("k/2") is None
    assert store.get("k/forbidden") is None
    with pytest.raises(Refused):
        store.get("k/broken")


def test_no_room_for_features_costs_speed_and_not_the_job(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise feature_cache.OutOfMemory("12 frozen features take 1.0 GB")

    monkeypatch.setattr(feature_cache, "Table", full)
    assert len(train(pictures, None, **FLIPS).history) == 2
    assert "warning: frozen stages are computed anew in every epoch" in capsys.readouterr().out


def test_what_is_skipped_is_known_without_decoding(pictures: Path, tmp_path: Path) -> None:
    shared = TINY | FLIPS | {"feature_cache": str(tmp_path), "epochs": "1"}
    train(pictures, None, **shared)
    notes = [json.loads(path.read_bytes()) for path in tmp_path.rglob("complete.json")]
    assert notes == [[], [], []], "one note per split: train, valid, test"
    assert load(pictures, parse(shared)).train.skipped == ()


def test_bytes_are_put_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(tmp_path)
    store.put("k/1", b"first")

    def full(self: Path, content: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        store.put("k/1", b"second")
    monkeypatch.undo()
    assert store.get("k/1") == b"first"
    assert [path.name for path in (tmp_path / "k").iterdir()] == ["1"]
    assert store.get("k/none") is None
