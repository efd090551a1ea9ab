"""Folders as people have them: taken, or refused with the command that makes them right."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli.data.findings import BadDataset, Finding
from cli.data.folder import Dataset
from cli.data.screen import finding_lines
from tests.unit.cli.conftest import dataset_of, png

Make = Callable[[dict[str, int]], Path]


def labels_of(dataset: Dataset) -> dict[str, str]:
    return {
        Path(path).name: label
        for content, path in dataset.paths.items()
        for label in [_label(dataset, content)]
    }


def _label(dataset: Dataset, content: str) -> str:
    return next(picture.label for picture in dataset.pictures if picture.content == content)


@pytest.mark.parametrize("names", [("Training", "Testing"), ("TRAIN", "Test"), ("train", "testing")])
def test_splits_by_other_names(folder: Make, names: tuple[str, str]) -> None:
    dataset = dataset_of(folder({f"{split}/{label}": 8 for split in names for label in ("ant", "bee")}))
    assert dataset.made_splits == ("valid",)
    assert dataset.count("test") == 16


@pytest.mark.parametrize("outer", ["images", "archive/images", "my pets"])
def test_classes_inside_outer_folders(folder: Make, outer: str) -> None:
    dataset = dataset_of(folder({f"{outer}/ant": 8, f"{outer}/bee": 8}))
    assert dataset.classes == ("ant", "bee")
    assert [each.path for each in dataset.findings if each.kind == "layout"] == [outer]


def test_splits_inside_an_outer_folder(folder: Make) -> None:
    places = {f"data/{split}/{label}": 4 for split in ("train", "val", "test") for label in ("ant", "bee")}
    assert dataset_of(folder(places)).made_splits == ()


def test_one_class_alone_is_no_outer_folder(folder: Make) -> None:
    with pytest.raises(BadDataset, match=r"has one class only \(ant\)"):
        dataset_of(folder({"ant/one": 5}))


def test_a_class_called_train(folder: Make) -> None:
    """Trains, beside cars: it has pictures of its own."""
    assert dataset_of(folder({"train": 8, "car": 8})).classes == ("car", "train")


def test_two_spellings_of_a_class_are_one(folder: Make) -> None:
    composed, decomposed = "caf\u00e9", unicodedata.normalize("NFD", "caf\u00e9")
    dataset = dataset_of(folder({composed: 4, decomposed: 4, "dog": 8}))
    assert dataset.classes == (composed, "dog")
    assert dataset.counts[composed]["train"] + dataset.counts[composed]["valid"] < 8
    assert sum(dataset.counts[composed].values()) == 8


def test_kaggle_s_labels_without_the_end_of_the_names(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    (tmp_path / "test").mkdir()
    lines = ["id,breed"]
    for number in range(16):
        (tmp_path / "train" / f"dog{number}.png").write_bytes(png(number))
        lines.append(f"dog{number},{'beagle' if number % 2 else 'boxer'}")
    (tmp_path / "test" / "unknown.png").write_bytes(png(99))
    (tmp_path / "labels.csv").write_text("\n".join([*lines, "dog99,beagle", "dog1,"]))
    dataset = dataset_of(tmp_path)
    assert labels_of(dataset)["dog3.png"] == "beagle"
    assert len(dataset.pictures) == 16
    assert dataset.made_splits == ("train", "valid", "test")
    left_out = {each.path: each.why for each in dataset.findings if each.kind == "place"}
    assert left_out == {
        "labels.csv, line 18": "names dog99, which is not there",
        "labels.csv, line 19": "names no file or no class",
        "test/unknown.png": "is not in labels.csv",
    }


def test_only_files_are_counted_as_set_aside(folder: Callable[[dict[str, int]], Path]) -> None:
    root = folder({f"{split}/{label}": 4 for split in ("train", "valid", "test") for label in ("ant", "bee")})
    for name in ("extra/one.png", "extra/deep/two.png", "extra/deep/three.png"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    for name in ("empty", "train/cat"):
        (root / name).mkdir()
    findings = dataset_of(root).findings
    assert {each.path: (each.files, each.skipped) for each in findings} == {
        "extra/": (3, True),
        "empty/": (0, False),
        "train/cat/": (1, False),
    }
    assert "3 in the wrong place (skipped):" in finding_lines(findings)


def test_hugging_face_s_metadata_in_each_split(tmp_path: Path) -> None:
    seed = 0
    for split in ("train", "validation", "test"):
        place = tmp_path / split
        place.mkdir()
        lines = ["file_name,label"]
        for number in range(4):
            seed += 1
            (place / f"{number}.png").write_bytes(png(seed))
            lines.append(f"{number}.png,{'cat' if number % 2 else 'dog'}")
        (place / "metadata.csv").write_text("\n".join(lines))
    dataset = dataset_of(tmp_path)
    assert dataset.made_splits == ()
    assert dataset.counts == {label: {"train": 2, "valid": 2, "test": 2} for label in ("cat", "dog")}


def test_a_table_with_a_column_of_splits(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    lines = ["filename,class,split"]
    for number in range(12):
        (tmp_path / "images" / f"{number}.png").write_bytes(png(number))
        lines.append(f"images/{number}.png,{number % 2},{('train', 'val', 'test')[number % 3]}")
    (tmp_path / "all.csv").write_text("\n".join(lines))
    dataset = dataset_of(tmp_path)
    assert dataset.made_splits == ()
    assert dataset.counts["0"] == {"train": 2, "valid": 2, "test": 2}


def test_a_table_of_something_else_is_no_table(folder: Make) -> None:
    root = folder({"": 4})
    (root / "prices.csv").write_text("name,class\nbread,food\nmilk,food\n0.png,food\n")
    with pytest.raises(BadDataset, match="has 4 pictures but no class subfolders"):
        dataset_of(root)


def test_class_folders_count_more_than_a_table(folder: Make) -> None:
    root = folder({"ant": 8, "bee": 8})
    (root / "labels.csv").write_text("\n".join(["id,label", *(f"{n},x" for n in range(8))]))
    assert dataset_of(root).classes == ("ant", "bee")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("pets.zip", "unzip {0}/pets.zip -d pets"),
        ("pets.tar.gz", "mkdir pets && tar -xf {0}/pets.tar.gz -C pets"),
        ("pets.tar", "mkdir pets && tar -xf {0}/pets.tar -C pets"),
    ],
)
def test_an_archive_is_refused_with_the_command(tmp_path: Path, name: str, command: str) -> None:
    (tmp_path / name).write_bytes(b"x")
    with pytest.raises(BadDataset) as refused:
        dataset_of(tmp_path / name)
    assert command.format(tmp_path) in str(refused.value)


def test_a_folder_that_may_not_be_read_stops_the_upload_and_is_not_passed_over(
    folder: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder({"ant": 2, "bee": 2, "bee/more": 2})
    scandir = os.scandir

    def listing(place: Any) -> Any:
        if str(place).endswith("more"):
            raise PermissionError(13, "Permission denied", place)
        return scandir(place)

    monkeypatch.setattr(os, "scandir", listing)
    with pytest.raises(PermissionError):
        dataset_of(root)


def test_a_single_finding_is_told_as_one() -> None:
    finding = Finding("not a picture", "a.txt", "is not a picture by its name")
    assert finding_lines((finding,))[0] == "1 not a picture (skipped):"
    assert finding_lines((finding, finding))[0] == "2 not pictures (skipped):"
