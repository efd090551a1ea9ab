"""A data set's version: its lists, and not the folders, say which file has which class, split and name."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from contract.datasets import manifest
from contract.datasets.manifest import Picture
from tests.unit.training_code.samples import COUNTS, MACHINE, job_folder, load, numbers, picture, train
from training_code.__main__ import run
from training_code.config import Config, parse
from training_code.data.dataset import Dataset, find
from training_code.data.dataset import load as load_found
from training_code.data.feature_cache import FeatureCache
from training_code.distributed.process_group import ProcessGroup
from training_code.errors import UnusableDataset
from training_code.job import Job
from training_code.network import model
from training_code.stopping import StopSignal

CONFIG = parse({"image_size": "16", "augment": "none"})
ROOT = "datasets/pets/pictures/"


def uploaded(pictures: Path) -> list[tuple[Picture, bytes]]:
    """The pictures of class folders as an upload stores them: named by their contents."""
    found = []
    for path in sorted(pictures.rglob("*.png")):
        split, label, name = path.relative_to(pictures).parts
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        found.append((Picture(label, split, name, digest, len(content), f"{digest}.png"), content))
    return found


def adopted(pictures: Path) -> list[tuple[Picture, bytes]]:
    """The same as something else brought them: known by S3's ETag, and lying where they lie."""
    return [
        (
            replace(
                each,
                content=f"etag-{hashlib.md5(content, usedforsecurity=False).hexdigest()}",
                key=f"{each.split}/{each.label}/{each.name}",
            ),
            content,
        )
        for each, content in uploaded(pictures)
    ]


def channels(
    at: Path, version: Iterable[tuple[Picture, bytes]], root: str = ROOT, *, all_in_each: bool = False
) -> Path:
    """The channels of a job: `root` is what lies before a picture's key in its channel."""
    version = list(version)
    for split in COUNTS:
        for each, content in version:
            if all_in_each or each.split == split:
                path = at / split / root / each.key
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
    lists = at / "dataset" / "datasets/pets/shards"
    lists.mkdir(parents=True)
    for number, shard in enumerate(manifest.shards(each for each, _ in version)):
        (lists / f"{number}.jsonl.gz").write_bytes(shard)
    return at


def listed(at: Path, config: Config = CONFIG) -> Dataset:
    found = find({split: at / split for split in COUNTS}, config, at / "dataset")
    return load_found(found, config, StopSignal())


def answers(dataset: Dataset) -> tuple[object, ...]:
    """All that depends on which pictures there are and in which order."""
    pixels = [split.images.pick(torch.arange(len(split))) for split in dataset.splits]
    digests = [hashlib.sha256(each.numpy().tobytes()).hexdigest() for each in pixels]
    labels = [split.labels.tolist() for split in dataset.splits]
    return digests, labels, [split.fingerprint for split in dataset.splits]


@pytest.mark.parametrize(
    ("root", "all_in_each"),
    [(ROOT, False), ("", True), ("pictures/", False)],
    ids=["ManifestFile", "FastFile", "part of the key"],
)
def test_files_are_found_wherever_sagemaker_puts_them(
    tmp_path: Path, pictures: Path, root: str, all_in_each: bool
) -> None:
    loaded = listed(channels(tmp_path, uploaded(pictures), root, all_in_each=all_in_each))
    assert loaded.classes == ("dark", "light")
    assert [len(split) for split in loaded.splits] == [2 * count for count in COUNTS.values()]
    assert set(loaded.train.files) == set(load(pictures, CONFIG).train.files), "names are those of the list"
    brightness = loaded.train.images.pick(torch.arange(12)).float().mean((1, 2, 3))
    assert (brightness[loaded.train.labels == 1] > brightness[loaded.train.labels == 0].max()).all()


@pytest.mark.parametrize("root", ["pets/", ""])
def test_adopted_files_are_found_too(tmp_path: Path, pictures: Path, root: str) -> None:
    at = channels(tmp_path, adopted(pictures), root, all_in_each=not root)
    assert len(listed(at).test) == 2 * COUNTS["test"]


def test_a_new_name_changes_neither_order_nor_fingerprint(tmp_path: Path, pictures: Path) -> None:
    version = uploaded(pictures)
    renamed = [
        (replace(each, name=f"{len(version) - number:03}.png"), content)
        for number, (each, content) in enumerate(version)
    ]
    first, second = listed(channels(tmp_path / "1", version)), listed(channels(tmp_path / "2", renamed))
    assert answers(first) == answers(second)
    assert first.test.files != second.test.files


def test_an_upload_and_an_adoption_of_the_same_pictures_are_the_same_splits(
    tmp_path: Path, pictures: Path
) -> None:
    first = listed(channels(tmp_path / "1", uploaded(pictures)))
    second = listed(channels(tmp_path / "2", adopted(pictures), "pets/"))
    assert answers(first) == answers(second)


def test_another_label_or_another_picture_is_another_split(tmp_path: Path, pictures: Path) -> None:
    version = uploaded(pictures)
    at = next(number for number, (each, _) in enumerate(version) if each.split == "test")
    relabelled = list(version)
    relabelled[at] = replace(version[at][0], label="light"), version[at][1]
    one = listed(channels(tmp_path / "1", version)).test.fingerprint
    assert one != listed(channels(tmp_path / "2", relabelled)).test.fingerprint
    assert one != listed(channels(tmp_path / "3", version[:at] + version[at + 1 :])).test.fingerprint


def test_a_share_is_drawn_by_content(tmp_path: Path, pictures: Path) -> None:
    half = parse({"image_size": "16", "augment": "none", "train_fraction": "0.5"})
    version = uploaded(pictures)
    renamed = [(replace(each, name=f"x{each.content}.png"), content) for each, content in version]
    first = listed(channels(tmp_path / "1", version), half)
    assert len(first.train) == COUNTS["train"]
    assert answers(first) == answers(listed(channels(tmp_path / "2", renamed), half))


def test_a_damaged_picture_is_skipped_under_the_name_of_its_list(tmp_path: Path, pictures: Path) -> None:
    tolerant = parse({"image_size": "16", "augment": "none", "max_skipped": "0.5"})
    at = channels(tmp_path, uploaded(pictures))
    victim = sorted((at / "train" / ROOT).iterdir())[3]
    victim.write_bytes(b"\x89PNG\r\n\x1a\n broken")
    split = listed(at, tolerant).train
    assert len(split) == len(split.labels) == 2 * COUNTS["train"] - 1
    names = {f"train/{each.label}/{each.name}" for each, _ in uploaded(pictures) if each.key == victim.name}
    assert {each.file for each in split.skipped} == names
    brightness = split.images.pick(torch.arange(len(split))).float().mean((1, 2, 3))
    assert (brightness[split.labels == 1] > brightness[split.labels == 0].max()).all(), "rows move up"


def test_a_listed_picture_that_is_not_there_ends_the_job_with_its_name(
    tmp_path: Path, pictures: Path
) -> None:
    version = uploaded(pictures)
    at = channels(tmp_path, version)
    gone = sorted(each.key for each, _ in version if each.split == "valid")[:2]
    for key in gone:
        (at / "valid" / ROOT / key).unlink()
    with pytest.raises(
        UnusableDataset, match=r"2 of the 6 pictures .* lists in 'valid' are not there"
    ) as error:
        listed(at)
    assert f"(key {gone[0]})" in str(error.value)
    shutil.rmtree(at / "valid")
    (at / "valid" / "else").mkdir(parents=True)
    with pytest.raises(UnusableDataset, match="6 of the 6 pictures"):
        listed(at)


@pytest.mark.parametrize(
    ("content", "says"), [(None, "holds no list"), (b"", "empty"), (b"x" * 9, "lists no")]
)
def test_a_list_that_cannot_be_read_ends_the_job(
    tmp_path: Path, pictures: Path, content: bytes | None, says: str
) -> None:
    at = channels(tmp_path, uploaded(pictures))
    (shard,) = (at / "dataset").rglob("*.gz")
    shard.unlink() if content is None else shard.write_bytes(content)
    with pytest.raises(UnusableDataset, match=f"the channel 'dataset'.*{says}"):
        listed(at)


def test_the_rules_of_a_data_set_hold_for_lists(tmp_path: Path, pictures: Path) -> None:
    version = [each for each in uploaded(pictures) if (each[0].split, each[0].label) != ("test", "dark")]
    with pytest.raises(UnusableDataset, match="the split 'test' has no picture of 'dark'"):
        listed(channels(tmp_path, version))


def test_frozen_features_of_a_version_serve_it_under_other_names(tmp_path: Path, pictures: Path) -> None:
    config = parse(
        {
            "image_size": "16",
            "augment": "none",
            "trainable_from": "fc",
            "feature_cache": str(tmp_path / "kept"),
        }
    )
    version = uploaded(pictures)
    renamed = [(replace(each, name=f"x{each.content}.png"), content) for each, content in version]
    group, stop = ProcessGroup(), StopSignal()
    kept = []
    for number, each in enumerate((version, renamed)):
        at = channels(tmp_path / str(number), each)
        found = find({split: at / split for split in COUNTS}, config, at / "dataset")
        network = model.build(config, 2, at / "no weights", MACHINE)
        cache = FeatureCache.of(network, config, MACHINE, group, Job(tmp_path / "no job", "tiny"))
        assert cache is not None
        complete = cache.complete(found, stop)
        assert set(complete) == ({"test"} if number else set())  # whose features were asked for
        features = cache.features(load_found(found, config, stop, group, complete).test, stop)
        assert features is not None
        rows = torch.arange(features.pictures)
        kept.append(features.pick(rows, torch.zeros_like(rows)))
    assert torch.equal(*kept)


def test_a_job_with_lists_trains_and_says_which_version(tmp_path: Path, pictures: Path) -> None:
    at = channels(tmp_path / "channels", uploaded(pictures))
    told = {"image_size": "16", "batch_size": "4", "epochs": "1", "dataset": "pets", "dataset_version": "3"}
    base = job_folder(tmp_path / "job", at, told)
    job = Job(base, "listed")
    run(job, parse(told), ProcessGroup(), StopSignal())
    card = (base / "model" / "model.json").read_text()
    assert '"dataset_version": 3' in card
    assert "pets@3" in (base / "model" / "report.html").read_text()


def test_class_folders_are_read_by_the_same_rule_as_versions(tmp_path: Path, pictures: Path) -> None:
    own = tmp_path / "own"
    shutil.copytree(pictures, own)
    before = load(own, CONFIG)
    for name in ("__MACOSX/dark/0.png", "train/__MACOSX/0.png", "train/dark/.thumbs/0.png", "train/.x/0.png"):
        (own / name).parent.mkdir(parents=True)
        picture(0, 77).save(own / name)
    assert load(own, CONFIG).train.files == before.train.files
    (own / "train/dark/deep").mkdir()
    picture(0, 78).save(own / "train/dark/deep/0.png")
    assert "dark/deep/0.png" in load(own, CONFIG).train.files


def test_folders_train_to_the_same_numbers_as_ever(pictures: Path) -> None:
    assert numbers(train(pictures, None)) == numbers(train(pictures, None))
