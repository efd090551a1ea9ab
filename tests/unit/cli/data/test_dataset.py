"""What a picture folder may look like, what is set aside, and what is refused with which words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cli.data.findings import BadDataset
from cli.data.folder import Dataset, dataset_name
from contract.datasets import rules
from tests.unit.cli.conftest import dataset_of

Make = Callable[[dict[str, int]], Path]


def found(dataset: Dataset, kind: str) -> list[str]:
    return [finding.path for finding in dataset.findings if finding.kind == kind]


def test_a_folder_of_classes_gets_stratified_splits(folder: Make) -> None:
    dataset = dataset_of(folder({"ant": 20, "bee": 20}))
    assert dataset.made_splits == ("train", "valid", "test")
    assert dataset.classes == ("ant", "bee")
    for label in dataset.classes:
        assert [dataset.count(split, label) for split in ("train", "valid", "test")] == [14, 3, 3]


@pytest.mark.parametrize("valid", ["valid", "val", "validation", "Validation"])
def test_given_splits_are_kept_under_any_of_their_names(folder: Make, valid: str) -> None:
    places = {f"{split}/{label}": 2 for split in ("train", valid, "test") for label in ("ant", "bee")}
    dataset = dataset_of(folder(places))
    assert dataset.made_splits == ()
    assert [dataset.count(split) for split in ("train", "valid", "test")] == [4, 4, 4]


def test_a_missing_split_is_carved_out_of_train_and_the_given_one_stays(folder: Make) -> None:
    dataset = dataset_of(folder({"train/ant": 20, "train/bee": 20, "val/ant": 2, "val/bee": 2}))
    assert dataset.made_splits == ("test",)
    assert [dataset.count(split) for split in ("train", "valid", "test")] == [34, 4, 6]


def test_pictures_uploaded_before_keep_their_split_under_new_names(folder: Make) -> None:
    root = folder({"ant": 20, "bee": 20})
    before = [replace(picture, split="test") for picture in dataset_of(root).pictures[:15]]
    for file in sorted(root.rglob("*.png")):
        file.rename(file.with_name(f"new_{file.name}"))
    now = {picture.content: picture.split for picture in dataset_of(root, before).pictures}
    assert {now[picture.content] for picture in before} == {"test"}


def test_a_corrupt_picture_among_good_ones_is_listed_and_left_out(folder: Make) -> None:
    root = folder({"ant": 5, "bee": 5})
    (root / "ant" / "broken.png").write_bytes((root / "ant" / "0.png").read_bytes()[:60])
    (root / "ant" / "none.png").write_bytes(b"")
    (root / "ant" / "notes.txt").write_text("not a picture")
    (root / "ant" / "pointer.jpg").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    dataset = dataset_of(root)
    assert len(dataset.pictures) == 10
    assert found(dataset, "corrupt") == ["ant/broken.png", "ant/pointer.jpg"]
    assert found(dataset, "empty") == ["ant/none.png"]
    assert found(dataset, "not a picture") == ["ant/notes.txt"]


def test_a_picture_named_for_another_format_is_uploaded_and_mentioned(folder: Make) -> None:
    root = folder({"ant": 5, "bee": 5})
    (root / "ant" / "0.png").rename(root / "ant" / "0.jpg")
    dataset = dataset_of(root)
    assert len(dataset.pictures) == 10
    assert found(dataset, "name") == ["ant/0.jpg"]


def test_of_a_duplicate_across_splits_the_tested_copy_stays(folder: Make) -> None:
    places = {f"{split}/{label}": 3 for split in ("train", "valid", "test") for label in ("ant", "bee")}
    root = folder(places)
    (root / "train" / "ant" / "leak.png").write_bytes((root / "test" / "ant" / "0.png").read_bytes())
    dataset = dataset_of(root)
    assert found(dataset, "duplicate") == ["train/ant/leak.png"]
    assert dataset.count("test", "ant") == 3


def test_the_same_picture_in_two_classes_teaches_neither(folder: Make) -> None:
    root = folder({"ant": 5, "bee": 5})
    (root / "bee" / "0.png").write_bytes((root / "ant" / "0.png").read_bytes())
    dataset = dataset_of(root)
    assert sorted(found(dataset, "contradiction")) == ["ant/0.png", "bee/0.png"]
    assert len(dataset.pictures) == 8


def test_what_lies_deeper_in_a_class_is_of_that_class(folder: Make) -> None:
    dataset = dataset_of(folder({"ant": 5, "bee": 5, "ant/deep/er": 2}))
    assert dataset.classes == ("ant", "bee")
    assert len(dataset.pictures) == 12
    assert "deep/er/0.png" in {picture.name for picture in dataset.pictures}


def test_loose_and_hidden_things_are_named(folder: Make) -> None:
    root = folder({"ant": 5, "bee": 5, ".cache": 2, "bee/.old": 1, "__MACOSX": 1})
    (root / "loose.png").write_bytes((root / "ant" / "0.png").read_bytes())
    (root / "Thumbs.db").write_bytes(b"x")
    (root / "bee" / "thumbs.db").write_bytes(b"x")
    for number in range(3):
        (root / "ant" / f"._{number}.png").write_bytes(b"x")
    dataset = dataset_of(root)
    assert len(dataset.pictures) == 10
    places = {each.path: each.why for each in dataset.findings if each.kind == "place"}
    assert places == {
        "loose.png": "lies outside the class folders",
        ".cache/": "is hidden; rename it if it holds pictures",
        "__MACOSX/": "is the system's own",
        "Thumbs.db": "is the system's own",
        "bee/.old/": "is hidden; rename it if it holds pictures",
        "bee/thumbs.db": "is the system's own",
        "ant/._0.png": "is the system's own, as 2 more of its kind",
    }


@pytest.mark.parametrize("name", ["@eaDir", "__MACOSX", "$RECYCLE.BIN", "System Volume Information", ".x"])
def test_what_upload_passes_over_no_data_set_has(folder: Make, name: str) -> None:
    root = folder({"ant": 5, "bee": 5, name: 3, f"bee/{name}": 2})
    assert dataset_of(root).classes == ("ant", "bee")
    assert not rules.is_picture(f"train/bee/{name}/0.png")


def test_a_class_may_have_the_name_of_a_background(folder: Make) -> None:
    assert dataset_of(folder({"ant": 5, "__background__": 5})).classes == ("__background__", "ant")


def test_a_class_without_pictures_is_named(folder: Make) -> None:
    root = folder({"ant": 5, "bee": 5, "cat": 0, "dog": 0})
    (root / "dog" / "0.png").write_bytes(b"broken")
    dataset = dataset_of(root)
    assert dataset.classes == ("ant", "bee")
    assert found(dataset, "class") == ["cat/", "dog"]


def test_progress_reaches_the_end(folder: Make) -> None:
    steps: list[tuple[int, int]] = []
    dataset_of(folder({"ant": 5, "bee": 5}), on_checked=lambda done, total: steps.append((done, total)))
    assert steps[-1] == (10, 10)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"": 0}, "holds no pictures"),
        ({"": 3}, "no class subfolders"),
        ({"ant": 5}, "one class only (ant)"),
        ({"ant": 5, "bee": 2}, "has no picture of bee in valid"),
        (
            {"train/ant": 3, "train/bee": 3, "valid/ant": 1, "test/ant": 1, "test/bee": 1},
            "has no picture of bee in valid",
        ),
        (
            {"train/ant": 3, "valid/ant": 1, "valid/bee": 1, "test/ant": 1, "test/bee": 1},
            "has no picture of bee in train",
        ),
        (
            {"train/ant": 3, "train/bee": 3, "val/ant": 1, "valid/ant": 1},
            "the split valid under two names",
        ),
    ],
    ids=["empty", "no classes", "one class", "too few", "not in valid", "not in train", "two names"],
)
def test_what_cannot_work_is_refused_by_name(folder: Make, counts: dict[str, int], words: str) -> None:
    root = folder(counts)
    with pytest.raises(BadDataset, match=words.replace("(", r"\(").replace(")", r"\)")):
        dataset_of(root)


def test_a_missing_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadDataset, match="There is no folder"):
        dataset_of(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadDataset, match="is a file"):
        dataset_of(tmp_path / "file")


def test_a_refusal_carries_what_was_found_on_the_way(folder: Make) -> None:
    root = folder({"ant": 5, "bee": 1})
    (root / "bee" / "0.png").write_bytes(b"broken")
    with pytest.raises(BadDataset, match="one class only") as refused:
        dataset_of(root)
    assert [finding.path for finding in refused.value.findings if finding.kind == "corrupt"] == ["bee/0.png"]


def test_a_folder_s_name_becomes_a_dataset_s_name(tmp_path: Path) -> None:
    assert dataset_name(tmp_path / "My Pictures (2024)") == "my-pictures-2024"
    assert dataset_name(tmp_path / "äöü") == "dataset"
    assert dataset_name(tmp_path / "datasets") == "dataset"
