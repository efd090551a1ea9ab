"""Versions of data sets: written, read, restored and deleted, killed before any of their writes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contract import storage
from contract.datasets import deletion, manifest, rules, store
from contract.datasets.changes import Kind, compare, count
from contract.datasets.manifest import InvalidVersion, Origin, Picture, Version
from tests.unit.memory_s3 import Killed, MemoryS3

BUCKET = "data"
SPLITS = ("train", "valid", "test")


def picture(number: int, label: str = "cat", split: str = "", name: str = "") -> Picture:
    content = f"{number:064x}"
    split = split or SPLITS[number % 3]
    return Picture(label, split, name or f"{number}.png", content, 10, f"{content}.png")


PETS = tuple(picture(number, ("cat", "dog")[number // 3 % 2]) for number in range(12))


@pytest.fixture
def s3() -> MemoryS3:
    return MemoryS3()


def upload(s3: MemoryS3, pictures: tuple[Picture, ...], dataset: str = "pets") -> Version:
    root = storage.pictures_of(dataset)
    for each in pictures:
        s3.put_object(Bucket=BUCKET, Key=root + each.key, Body=b"x" * each.size)
    parent = store.newest(s3, BUCKET, dataset)
    draft = store.Draft(
        dataset=dataset, origin=Origin.UPLOAD, root=root, pictures=pictures, parent=parent, source="~/pets"
    )
    return store.write(s3, BUCKET, draft)


def listed(s3: MemoryS3, version: Version | None) -> set[Picture]:
    assert version is not None
    return set(store.pictures(s3, BUCKET, version))


def test_a_version_is_read_as_it_was_written(s3: MemoryS3) -> None:
    written = upload(s3, PETS)
    assert written == store.newest(s3, BUCKET, "pets") == store.read(s3, BUCKET, "pets", 1)
    assert listed(s3, written) == set(PETS)
    assert written.classes == {
        "cat": {"train": 2, "valid": 2, "test": 2},
        "dog": {"train": 2, "valid": 2, "test": 2},
    }
    assert (written.pictures, written.bytes, written.parent, written.name) == (12, 120, None, "pets@1")


def test_a_data_set_without_versions_has_no_newest(s3: MemoryS3) -> None:
    assert store.newest(s3, BUCKET, "pets") is None
    with pytest.raises(store.NoSuchVersion, match=r'"pets" has no version 3; there are: none'):
        store.read(s3, BUCKET, "pets", 3)


def test_reading_counts_lists_no_keys(s3: MemoryS3) -> None:
    upload(s3, PETS)
    s3.calls.clear()
    store.newest(s3, BUCKET, "pets")
    assert s3.called("list") == []
    assert len(s3.called("get")) == 2


def test_channels_list_each_split_and_the_shards(s3: MemoryS3) -> None:
    import json

    version = upload(s3, PETS)
    root = storage.pictures_of("pets")
    for split in SPLITS:
        prefix, *keys = json.loads(s3.objects[storage.version_list("pets", 1, split)])
        assert prefix == {"prefix": "s3://data/"}
        assert set(keys) == {root + each.key for each in PETS if each.split == split}
    assert json.loads(s3.objects[storage.version_list("pets", 1, "shards")])[1:] == list(version.shards)


def test_one_changed_picture_sends_one_shard_of_many(s3: MemoryS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(manifest, "SHARD_PICTURES", 20)
    many = tuple(picture(number) for number in range(300))
    first = upload(s3, many)
    assert len(first.shards) == 16
    changed = (replace(many[0], label="dog"), *many[1:])
    second = upload(s3, changed)
    assert len(set(second.shards) - set(first.shards)) == 1
    assert listed(s3, second) == set(changed)


def test_the_same_pictures_have_the_same_digest_in_any_order() -> None:
    one, other = list(manifest.shards(PETS)), list(manifest.shards(PETS[::-1]))
    assert one == other


def test_a_second_writer_is_refused_and_loses_nothing(s3: MemoryS3) -> None:
    upload(s3, PETS)
    parent = store.newest(s3, BUCKET, "pets")
    draft = store.Draft(
        dataset="pets",
        origin=Origin.UPLOAD,
        root=storage.pictures_of("pets"),
        pictures=PETS[:6],
        parent=parent,
    )
    upload(s3, PETS[3:])
    with pytest.raises(store.ChangedMeanwhile, match="Run the same command again"):
        store.write(s3, BUCKET, draft)
    assert listed(s3, store.newest(s3, BUCKET, "pets")) == set(PETS[3:])


def test_two_writers_at_the_same_moment_make_one_version(s3: MemoryS3) -> None:
    """Both have seen the same parent; S3 lets one of them write the version's file."""
    first = upload(s3, PETS)
    draft = store.Draft(
        dataset="pets",
        origin=Origin.UPLOAD,
        root=storage.pictures_of("pets"),
        pictures=PETS[:6],
        parent=first,
    )
    s3.put_object(Bucket=BUCKET, Key=storage.version_of("pets", 2), Body=b"{}")
    numbers = store.numbers
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "numbers", lambda *where: numbers(*where)[:1])
        with pytest.raises(store.ChangedMeanwhile):
            store.write(s3, BUCKET, draft)
    assert s3.objects[storage.version_of("pets", 2)] == b"{}"


def writes_of(action: object, s3: MemoryS3) -> int:
    before = len([name for name, _ in s3.calls if name in ("put", "delete", "copy")])
    action()  # type: ignore[operator]
    return len([name for name, _ in s3.calls if name in ("put", "delete", "copy")]) - before


def test_killed_in_an_upload_the_newest_version_is_whole_and_the_next_run_finishes() -> None:
    sample = MemoryS3()
    upload(sample, PETS)
    writes = writes_of(lambda: upload(sample, PETS[:9]), sample)
    assert writes >= 15
    for survived in range(writes):
        s3 = MemoryS3()
        upload(s3, PETS)
        s3.kill_before_write = survived
        with pytest.raises(Killed):
            upload(s3, PETS[:9])
        s3.kill_before_write = None
        assert listed(s3, store.newest(s3, BUCKET, "pets")) == set(PETS)
        assert listed(s3, upload(s3, PETS[:9])) == set(PETS[:9])
        assert store.numbers(s3, BUCKET, "pets") == [1, 2], survived


def test_killed_in_a_deletion_the_newest_version_is_whole_and_the_next_run_finishes() -> None:
    def prepared() -> MemoryS3:
        s3 = MemoryS3()
        upload(s3, PETS)
        upload(s3, PETS[4:])
        return s3

    for doomed, left in ((1, PETS[4:]), (2, PETS)):
        sample = prepared()
        writes = writes_of(
            lambda: deletion.delete(sample, BUCKET, store.read(sample, BUCKET, "pets", doomed)),  # noqa: B023
            sample,
        )
        for survived in range(writes):
            s3 = prepared()
            s3.kill_before_write = survived
            with pytest.raises(Killed):
                deletion.delete(s3, BUCKET, store.read(s3, BUCKET, "pets", doomed))
            s3.kill_before_write = None
            newest = store.newest(s3, BUCKET, "pets")
            for each in listed(s3, newest):
                assert storage.pictures_of("pets") + each.key in s3.objects
            if doomed in store.numbers(s3, BUCKET, "pets"):
                deletion.delete(s3, BUCKET, store.read(s3, BUCKET, "pets", doomed))
            deletion.finish(s3, BUCKET, "pets")
            assert listed(s3, store.newest(s3, BUCKET, "pets")) == set(left)
            assert s3.objects.keys() == sample.objects.keys(), survived


def test_a_deleted_version_frees_what_no_other_needs(s3: MemoryS3) -> None:
    upload(s3, PETS)
    relabelled = tuple(replace(each, label="bird") for each in PETS[4:])
    upload(s3, relabelled)
    assert deletion.delete(s3, BUCKET, store.read(s3, BUCKET, "pets", 1)) == 4
    root = storage.pictures_of("pets")
    assert s3.keys(root) == sorted(root + each.key for each in PETS[4:])
    assert listed(s3, store.newest(s3, BUCKET, "pets")) == set(relabelled)
    deletion.delete(s3, BUCKET, store.read(s3, BUCKET, "pets", 2))
    assert s3.keys("datasets/") == []


def test_deleting_the_newest_version_makes_the_one_before_it_the_newest(s3: MemoryS3) -> None:
    first = upload(s3, PETS)
    upload(s3, PETS[:6])
    deletion.delete(s3, BUCKET, store.read(s3, BUCKET, "pets", 2))
    assert store.newest(s3, BUCKET, "pets") == first


def test_a_restored_version_is_a_new_one(s3: MemoryS3) -> None:
    first = upload(s3, PETS)
    second = upload(s3, PETS[:6])
    restored = store.restore(s3, BUCKET, first, second)
    assert (restored.number, restored.origin, restored.source) == (3, "restored", "pets@1")
    assert restored.shards == first.shards
    assert listed(s3, restored) == set(PETS)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"format": 1}', b'{"format": 1, "classes": {"a": {}}}', b"[" * 100_000, b"\xff"],
)
def test_a_damaged_version_is_named(s3: MemoryS3, content: bytes) -> None:
    with pytest.raises(InvalidVersion, match=r"datasets/pets/versions/1\.json"):
        manifest.from_json(content, "datasets/pets/versions/1.json")


def test_a_missing_shard_is_named(s3: MemoryS3) -> None:
    version = upload(s3, PETS)
    s3.delete_object(Bucket=BUCKET, Key=version.shards[0])
    with pytest.raises(InvalidVersion, match="somebody deleted it"):
        listed(s3, version)


@pytest.mark.parametrize("shard", [b"", b"x", b'{"label": "a"}', b"null"])
def test_a_damaged_shard_is_named(shard: bytes) -> None:
    import gzip

    with pytest.raises(InvalidVersion, match="the-key lists no pictures"):
        list(manifest.pictures_in(gzip.compress(shard) if len(shard) > 1 else shard, "the-key"))


def test_changes_are_told_apart() -> None:
    before = [picture(number, split="train") for number in range(6)]
    after = [
        replace(before[0], label="dog", split="test"),
        replace(before[1], split="test"),
        replace(before[2], name="new.png"),
        *before[4:],
        picture(9, split="train"),
    ]
    found = {change.kind: change.picture for change in compare(before, after)}
    assert found == {
        Kind.RELABELLED: after[0],
        Kind.MOVED: after[1],
        Kind.RENAMED: after[2],
        Kind.GONE: before[3],
        Kind.ADDED: after[-1],
    }
    assert count(compare(before, after)) == dict.fromkeys(
        ("added", "gone", "relabelled", "moved", "renamed"), 1
    )
    assert list(compare(before, before)) == []


def test_each_content_stays_once_and_in_test_before_train() -> None:
    a, b = picture(1, split="train"), picture(2, split="valid")
    copy = replace(a, split="test", name="copy.png")
    cat, dog = picture(3, "cat", "train"), picture(3, "dog", "test")
    cleaned = rules.once([a, b, copy, cat, dog])
    assert cleaned.pictures == tuple(sorted([b, copy]))
    assert cleaned.copies == ((a, copy),)
    assert cleaned.contradictions == ((dog, cat),)


def test_a_name_is_once_in_its_class_and_split() -> None:
    same = [picture(number, split="train", name="a/x.png") for number in range(3)]
    names = {each.name for each in rules.named_once([*same, picture(5, split="test", name="a/x.png")])}
    assert names == {"a/x.png", "a/x~2.png", "a/x~3.png"}


@pytest.mark.parametrize(
    ("classes", "what"),
    [
        ({}, "has no picture"),
        ({"cat": {"train": 1, "valid": 1, "test": 1}}, "has one class only (cat)"),
        (
            {"cat": {"train": 1, "valid": 1, "test": 1}, "dog": {"train": 1, "valid": 0, "test": 1}},
            "has no picture of dog in valid",
        ),
        (
            {f"{n}": {"train": 0, "valid": 1, "test": 1} for n in range(9)},
            "has no picture of 0, 1, 2, 3, 4 and 4 more in train",
        ),
    ],
)
def test_what_cannot_be_trained_on_is_said(classes: dict[str, manifest.Counts], what: str) -> None:
    found = rules.problem(classes)
    assert found is not None
    assert found.what == what


def test_what_can_be_trained_on_has_no_problem() -> None:
    assert rules.problem(manifest.count(PETS)) is None
