"""From folders to pixels: what is loaded, what is skipped, and what ends the job with one message."""

from __future__ import annotations

import os
import shutil
import tarfile
from collections import Counter
from pathlib import Path

import pytest
import torch

from tests.unit.training_code.samples import COUNTS, dataset, load, picture
from training_code.config import parse
from training_code.data import table
from training_code.data.dataset import announce
from training_code.errors import OutOfMemory, UnusableDataset
from training_code.job import Job

CONFIG = parse({"image_size": "16", "augment": "none"})


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A dataset to damage."""
    return dataset(tmp_path / "own")


def test_every_picture_is_loaded_under_its_class(pictures: Path) -> None:
    loaded = load(pictures, CONFIG)
    assert loaded.classes == ("dark", "light")
    assert [len(split) for split in loaded.splits] == [2 * count for count in COUNTS.values()]
    brightness = loaded.train.images.pick(torch.arange(12)).float().mean((1, 2, 3))
    assert (brightness[loaded.train.labels == 1] > brightness[loaded.train.labels == 0].max()).all()


def test_a_damaged_picture_is_skipped_counted_and_named(own: Path) -> None:
    for number in range(20):
        picture(0, 500 + number).save(own / "train" / "dark" / f"more{number}.png")
    (own / "train" / "dark" / "more3.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    split = load(own, CONFIG).train
    assert len(split) == 2 * COUNTS["train"] + 19
    assert [each.file for each in split.skipped] == ["train/dark/more3.png"]
    assert "dark/more3.png" not in split.files
    assert len(split.labels) == len(split.files)
    last = split.images.pick(torch.tensor([len(split) - 1]))
    assert last.float().mean() > 100, "rows behind the skipped one move up"


def test_too_many_damaged_pictures_end_the_job_with_the_share(own: Path) -> None:
    for number in (0, 1):
        (own / "valid" / "dark" / f"{number}.png").write_bytes(b"broken")
    with pytest.raises(
        UnusableDataset, match=r"2 of 6 pictures of the split 'valid' .* more than 10%.*dark/0.png"
    ):
        load(own, CONFIG)


def test_a_class_of_which_nothing_usable_is_left_ends_the_job(own: Path) -> None:
    for number in range(40):
        picture(1, number).save(own / "test" / "light" / f"more{number}.png")
    for path in (own / "test" / "dark").iterdir():
        path.write_bytes(b"broken")
    with pytest.raises(UnusableDataset, match="no usable picture is left of 'dark' in the split 'test'"):
        load(own, CONFIG)


def test_one_class_alone_ends_the_job(own: Path) -> None:
    for split in COUNTS:
        shutil.rmtree(own / split / "light")
    with pytest.raises(UnusableDataset, match="only one class, 'dark'"):
        load(own, CONFIG)


@pytest.mark.parametrize("split", list(COUNTS))
def test_a_class_missing_in_a_split_ends_the_job(own: Path, split: str) -> None:
    shutil.rmtree(own / split / "light")
    with pytest.raises(UnusableDataset, match=f"the split '{split}' has no picture of 'light'"):
        load(own, CONFIG)


def test_an_empty_class_folder_ends_the_job(own: Path) -> None:
    for path in (own / "train" / "light").iterdir():
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(UnusableDataset, match="the split 'train' has no picture of 'light'"):
        load(own, CONFIG)


def test_pictures_without_class_folders_end_the_job(tmp_path: Path) -> None:
    for split in COUNTS:
        (tmp_path / split).mkdir()
        picture(0, 0).save(tmp_path / split / "0.png")
    with pytest.raises(UnusableDataset, match="no class folder"):
        load(tmp_path, CONFIG)


def test_files_that_are_no_pictures_by_name_are_left_alone(own: Path) -> None:
    (own / "train" / "dark" / "notes.txt").write_text("x")
    (own / "train" / "dark" / "._0.png").write_bytes(b"x")
    (own / "train" / ".cache").mkdir()
    assert len(load(own, CONFIG).train) == 2 * COUNTS["train"]


def test_a_share_of_the_training_pictures_is_the_same_share_of_each_class_and_always_the_same(
    own: Path,
) -> None:
    for number in range(14):
        picture(0, 500 + number).save(own / "train" / "dark" / f"more{number}.png")
    half = parse({"image_size": "16", "augment": "none", "train_fraction": "0.5"})
    loaded = load(own, half)
    assert Counter(loaded.train.labels.tolist()) == {0: 10, 1: 3}
    assert load(own, half).train.files == loaded.train.files
    assert len(loaded.valid) == 2 * COUNTS["valid"]
    other = parse({"image_size": "16", "augment": "none", "train_fraction": "0.5", "seed": "1"})
    assert load(own, other).train.files != loaded.train.files


def test_a_fingerprint_changes_with_any_byte_name_or_class_and_with_nothing_else(own: Path) -> None:
    first = load(own, CONFIG).test.fingerprint
    other_config = parse({"image_size": "24", "augment": "flip"})
    assert load(own, other_config).test.fingerprint == first
    (own / "test" / "dark" / "0.png").rename(own / "test" / "dark" / "00.png")
    renamed = load(own, CONFIG).test.fingerprint
    (own / "test" / "dark" / "1.png").rename(own / "test" / "light" / "9.png")
    moved = load(own, CONFIG).test.fingerprint
    picture(0, 999).save(own / "test" / "dark" / "00.png")
    changed = load(own, CONFIG).test.fingerprint
    assert len({first, renamed, moved, changed}) == 4


def test_decoded_pictures_lie_in_no_memory_of_this_process(own: Path) -> None:
    split = load(own, CONFIG).train
    shown = split.images.pick(torch.arange(len(split)))
    split.images.release()
    again = split.images.pick(torch.arange(len(split)))
    assert torch.equal(shown, again), "decoded anew when their room was given back"


def test_a_full_disk_is_made_up_for_by_memory_and_both_full_end_the_job_with_the_sizes(
    pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk = load(pictures, CONFIG).train.images.pick(torch.arange(12))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    assert torch.equal(load(pictures, CONFIG).train.images.pick(torch.arange(12)), on_disk)
    monkeypatch.setattr(table, "available_memory", lambda: 100)
    with pytest.raises(OutOfMemory, match="larger volume, or lower image_size or train_fraction"):
        load(pictures, CONFIG)


def test_a_split_packed_as_one_tar_is_the_same_split(own: Path, tmp_path: Path) -> None:
    loose = load(own, CONFIG)
    for split in COUNTS:
        with tarfile.open(tmp_path / "packed.tar", "w") as tar:
            tar.add(own / split, ".")
        shutil.rmtree(own / split)
        (own / split).mkdir()
        (tmp_path / "packed.tar").rename(own / split / f"{split}.tar")
    packed = load(own, CONFIG)
    assert packed.classes == loose.classes
    for ours, theirs in zip(packed.splits, loose.splits, strict=True):
        assert ours.fingerprint == theirs.fingerprint
        rows = torch.arange(len(ours))
        assert torch.equal(ours.images.pick(rows), theirs.images.pick(rows))


def test_a_packed_split_that_is_damaged_in_the_middle_is_not_taken_for_a_smaller_one(own: Path) -> None:
    with tarfile.open(own / "train.tar", "w", format=tarfile.USTAR_FORMAT) as tar:
        tar.add(own / "train", ".")
    with tarfile.open(own / "train.tar") as tar:
        last = tar.getmembers()[-1]
    whole = bytearray((own / "train.tar").read_bytes())
    whole[last.offset : last.offset + 16] = b"?" * 16
    shutil.rmtree(own / "train")
    (own / "train").mkdir()
    (own / "train" / "all.tar").write_bytes(whole)
    with pytest.raises(UnusableDataset, match="damaged"):
        load(own, CONFIG)


def test_a_packed_split_is_read_front_to_back_whatever_its_names(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FastFile mode streams: it is slow for a file that is read back and forth."""
    names = sorted((own / "train").rglob("*.png"), key=lambda path: path.name, reverse=True)
    with tarfile.open(own / "train.tar", "w") as tar:
        for path in names:
            tar.add(path, path.relative_to(own / "train"))
    shutil.rmtree(own / "train")
    (own / "train").mkdir()
    (own / "train.tar").rename(own / "train" / "all.tar")
    places: list[int] = []
    pread = os.pread

    def noted(file: int, size: int, start: int) -> bytes:
        places.append(start)
        return pread(file, size, start)

    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("training_code.data.picture_files.os.pread", noted)
    assert len(load(own, CONFIG).train) == len(places) == len(names)
    assert places == sorted(places)


def test_a_tar_that_cannot_be_read_ends_the_job_with_how_to_make_one(own: Path) -> None:
    (own / "train" / "train.tar").write_bytes(b"not a tar, but long enough to look at" * 50)
    with pytest.raises(UnusableDataset, match=r"train/train.tar cannot be read .*tar -cf train.tar"):
        load(own, CONFIG)


def test_how_many_may_be_damaged_can_be_set(own: Path) -> None:
    (own / "valid" / "dark" / "0.png").write_bytes(b"broken")
    with pytest.raises(UnusableDataset, match=r"1 of 6 .* more than 10% \(max_skipped\)"):
        load(own, CONFIG)
    generous = parse({"image_size": "16", "augment": "none", "max_skipped": "0.2"})
    assert len(load(own, generous).valid.skipped) == 1


def test_a_class_with_one_training_picture_is_trained_and_warned_of(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(1, COUNTS["train"]):
        (own / "train" / "dark" / f"{number}.png").unlink()
    loaded = load(own, CONFIG)
    announce(loaded)
    assert len(loaded.train) == COUNTS["train"] + 1
    assert "warning: one single training picture of 'dark'" in capsys.readouterr().out


def test_a_missing_channel_is_named_with_what_is_there(tmp_path: Path) -> None:
    dataset(tmp_path / "input" / "data")
    shutil.rmtree(tmp_path / "input" / "data" / "valid")
    with pytest.raises(UnusableDataset, match=r"the channel 'valid' is missing.*there is: test, train"):
        Job(tmp_path, "j").splits()


def test_one_parent_channel_does_for_three(tmp_path: Path) -> None:
    root = dataset(tmp_path / "input" / "data" / "training")
    assert Job(tmp_path, "j").splits() == {split: root / split for split in COUNTS}
    shutil.rmtree(root / "test")
    with pytest.raises(UnusableDataset, match="the folder 'test' is missing"):
        Job(tmp_path, "j").splits()
