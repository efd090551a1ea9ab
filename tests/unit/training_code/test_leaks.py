"""Pictures in two splits are found by their content, counted, and the first of them named."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.training_code.samples import dataset, load
from training_code.config import parse
from training_code.data import leaks
from training_code.data.dataset import announce
from training_code.data.split import Split

CONFIG = parse({"image_size": "16", "augment": "none"})
NONE = {"test_in_train": 0, "pairs": [], "valid_in_train": 0, "test_in_valid": 0}


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A data set to damage."""
    return dataset(tmp_path / "own")


def test_pictures_in_two_splits_are_found_under_any_name_and_in_any_class(own: Path) -> None:
    assert load(own, CONFIG).leaked == NONE
    for copy in ("test/dark/same.png", "test/light/other.png", "valid/dark/same.png"):
        shutil.copy(own / "train" / "dark" / "0.png", own / copy)
    shutil.copy(own / "test" / "dark" / "0.png", own / "valid" / "dark" / "tested.png")
    assert load(own, CONFIG).leaked == {
        "test_in_train": 2,
        "pairs": [["dark/same.png", "dark/0.png"], ["light/other.png", "dark/0.png"]],
        "valid_in_train": 1,
        "test_in_valid": 3,
    }


def test_a_damaged_file_in_two_splits_is_no_leak(own: Path) -> None:
    for split in ("train", "test"):
        (own / split / "dark" / "broken.png").write_bytes(b"broken")
    assert load(own, parse({"image_size": "16", "augment": "none", "max_skipped": "0.5"})).leaked == NONE


def test_only_what_this_job_trained_on_leaks(own: Path) -> None:
    few = parse({"image_size": "16", "augment": "none", "train_fraction": "0.1"})
    (trained,) = (name for name in load(own, few).train.files if name.startswith("dark/"))
    left_out = next(path for path in (own / "train" / "dark").iterdir() if f"dark/{path.name}" != trained)
    shutil.copy(left_out, own / "test" / "dark" / "copy.png")
    assert load(own, few).leaked == NONE
    shutil.copy(own / "train" / trained, own / "test" / "dark" / "second.png")
    assert load(own, few).leaked["pairs"] == [["dark/second.png", trained]]


def test_twenty_names_are_kept_and_the_log_has_three(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(25):
        shutil.copy(own / "train" / "dark" / "0.png", own / "test" / "dark" / f"copy {number:02}.png")
    loaded = load(own, CONFIG)
    assert (loaded.leaked["test_in_train"], len(loaded.leaked["pairs"])) == (25, 20)
    announce(loaded)
    assert (
        "warning: 25 test pictures are also training pictures, so the quality gate will refuse the model "
        "(test/dark/copy 00.png is train/dark/0.png, test/dark/copy 01.png is train/dark/0.png, "
        "test/dark/copy 02.png is train/dark/0.png, 22 more)"
    ) in capsys.readouterr().out


def test_leaks_of_the_validation_split_are_in_the_log(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(own / "train" / "dark" / "0.png", own / "valid" / "dark" / "same.png")
    shutil.copy(own / "valid" / "dark" / "1.png", own / "test" / "dark" / "same.png")
    announce(load(own, CONFIG))
    log = capsys.readouterr().out
    assert "warning: 1 validation pictures are also training pictures" in log
    assert "warning: 1 test pictures are also validation pictures" in log
    assert "quality gate" not in log


def split(name: str, digests: list[bytes]) -> Split:
    images: Any = None
    files = tuple(f"{name}/{row}" for row in range(len(digests)))
    return Split(name, images, torch.zeros(len(digests)), files, "", b"".join(digests), ())


@given(st.integers(0, 2**32), st.integers(1, 60), st.integers(1, 60), st.integers(1, 100))
def test_leaks_are_those_that_a_look_at_every_pair_finds(
    seed: int, trained: int, tested: int, kinds: int
) -> None:
    chance = np.random.default_rng(seed)
    contents = [chance.bytes(32) for _ in range(kinds)]
    train, test = (
        [contents[kind] for kind in chance.integers(0, kinds, count)] for count in (trained, tested)
    )
    found = leaks.between(split("train", train), split("valid", train[:1]), split("test", test))
    common = [(row, train.index(digest)) for row, digest in enumerate(test) if digest in train]
    assert found["test_in_train"] == len(common)
    assert found["pairs"] == [[f"test/{row}", f"train/{place}"] for row, place in common[:20]]
    assert found["test_in_valid"] == test.count(train[0])


def test_digests_that_only_begin_alike_are_of_two_pictures() -> None:
    train, test = split("train", [b"a" * 32]), split("test", [b"a" * 31 + b"b"])
    assert leaks.between(train, test, test)["test_in_train"] == 0
