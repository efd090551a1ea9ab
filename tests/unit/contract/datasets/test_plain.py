"""Pictures that came past `classifier upload`: adopted where they lie, refused where no job can use them."""

from __future__ import annotations

import pytest

from contract.datasets import plain, store
from contract.datasets.manifest import Version
from tests.unit.memory_s3 import MemoryS3

BUCKET = "data"


def synced(*keys: str, same: bytes = b"") -> MemoryS3:
    s3 = MemoryS3()
    for key in keys:
        s3.put_object(Bucket=BUCKET, Key=f"pets/{key}", Body=same or key.encode())
    return s3


WHOLE = tuple(
    f"{split}/{label}/{number}.jpg"
    for split in ("train", "valid", "test")
    for label in ("cat", "dog")
    for number in range(2)
)


def adopted(s3: MemoryS3) -> Version:
    look = plain.look(s3, BUCKET, "pets")
    return plain.adopt(s3, BUCKET, look, store.newest(s3, BUCKET, "pets")).version


def test_what_lies_there_becomes_a_version_that_names_it_there() -> None:
    s3 = synced(*WHOLE)
    version = adopted(s3)
    assert (version.origin, version.root, version.pictures) == ("adopted", "pets/", 12)
    assert {picture.key for picture in store.pictures(s3, BUCKET, version)} == set(WHOLE)
    assert version.plain == plain.look(s3, BUCKET, "pets").digest


def test_the_digest_changes_with_a_key_a_content_and_nothing_else() -> None:
    digest = plain.look(synced(*WHOLE), BUCKET, "pets").digest
    assert digest == plain.look(synced(*WHOLE[::-1]), BUCKET, "pets").digest
    assert digest != plain.look(synced(*WHOLE, "train/cat/9.jpg"), BUCKET, "pets").digest
    changed = synced(*WHOLE)
    changed.put_object(Bucket=BUCKET, Key="pets/train/cat/0.jpg", Body=b"train/cat/1.jpg")
    assert digest != plain.look(changed, BUCKET, "pets").digest
    assert plain.look(MemoryS3(), BUCKET, "pets").digest == ""


def test_what_is_no_picture_is_left_where_it_is() -> None:
    s3 = synced(
        *WHOLE, "readme.txt", "train/labels.csv", "train/cat/.hidden.jpg", "__MACOSX/train/cat/0.jpg",
        "train/__MACOSX/cat.jpg", "train/cat/notes.txt", "train/cat/deep/er.jpg",
    )  # fmt: skip
    s3.put_object(Bucket=BUCKET, Key="pets/train/cat/", Body=b"")  # a console's folder
    names = {picture.key for picture in store.pictures(s3, BUCKET, adopted(s3))}
    assert names == {*WHOLE, "train/cat/deep/er.jpg"}


def test_the_two_spellings_of_a_class_are_one() -> None:
    s3 = synced(*(f"{split}/{label}/1.jpg" for split in ("train", "valid") for label in ("caf\u00e9", "dog")),
                "test/cafe\u0301/1.jpg", "test/dog/1.jpg")  # fmt: skip
    assert set(adopted(s3).classes) == {"caf\u00e9", "dog"}


def test_copies_in_two_splits_stay_in_test_only() -> None:
    s3 = synced(*WHOLE)
    s3.put_object(Bucket=BUCKET, Key="pets/train/cat/0.jpg", Body=b"test/cat/0.jpg")
    adoption = plain.adopt(s3, BUCKET, plain.look(s3, BUCKET, "pets"), None)
    assert adoption.copies == 1
    assert "train/cat/0.jpg" not in {each.key for each in store.pictures(s3, BUCKET, adoption.version)}


@pytest.mark.parametrize("key", ["train//cat/1.jpg", "train/cat/../1.jpg", "./train/cat/1.jpg"])
def test_a_key_that_is_no_path_is_refused(key: str) -> None:
    with pytest.raises(plain.Unusable, match="cannot be files"):
        adopted(synced(*WHOLE, key))


def test_an_object_below_an_object_is_refused() -> None:
    with pytest.raises(plain.Unusable, match=r"cannot be a folder too: train/cat/0\.jpg/x\.jpg"):
        adopted(synced(*WHOLE, "train/cat/0.jpg/x.jpg"))


def test_no_picture_in_a_class_folder_is_refused() -> None:
    with pytest.raises(plain.Unusable, match="holds no picture at"):
        adopted(synced("cat/1.jpg", "dog/2.jpg"))


def test_more_keys_than_a_function_lists_are_refused_with_the_command() -> None:
    with pytest.raises(plain.TooMany, match="classifier dataset pets --adopt"):
        plain.look(synced(*WHOLE), BUCKET, "pets", most=11)
    assert len(plain.look(synced(*WHOLE), BUCKET, "pets", most=12).objects) == 12


def test_packed_splits_are_adopted_with_their_tar_files() -> None:
    version = adopted(synced("train/train.tar", "valid/valid.tar", "test/a.tar"))
    assert version.packed == {"train": "train.tar", "valid": "valid.tar", "test": "a.tar"}
    assert version.classes == {}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (("train/train.tar", "valid/cat/1.jpg"), "is packed in part only: valid, test"),
        (("train/a.tar", "train/b.tar", "valid/v.tar", "test/t.tar"), "has several tar files in train"),
    ],
)
def test_splits_packed_in_part_are_refused(keys: tuple[str, ...], words: str) -> None:
    with pytest.raises(plain.Unusable, match=words):
        adopted(synced(*keys))
