"""Uploads make the folder the data set's newest version: what changes is said, nothing is lost or doubled."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from PIL import Image

from cli.commands.dataset import dataset as dataset_command
from cli.commands.datasets import datasets as datasets_command
from cli.commands.upload import upload
from cli.data.findings import BadDataset
from cli.data.upload import Todo, check_name
from cli.errors import Ambiguous, CliError, NotConfirmed
from cli.target import Target
from contract import storage
from contract.datasets import store
from contract.datasets.manifest import Picture, Version
from tests.unit.cli.conftest import FakeTarget, Terminal, client_error, png
from tests.unit.memory_s3 import Killed, MemoryS3

Make = Callable[[dict[str, int]], Path]
BUCKET = "b"


class Jobs:
    """SageMaker with some jobs, each of which is told a data set's version."""

    def __init__(self) -> None:
        self.trainings: dict[str, tuple[str, dict[str, str]]] = {}
        self.searches: dict[str, tuple[str, dict[str, str]]] = {}

    def get_paginator(self, name: str) -> Any:
        kind, jobs = (
            ("HyperParameterTuningJob", self.searches)
            if "tuning" in name
            else ("TrainingJob", self.trainings)
        )
        return SimpleNamespace(
            paginate=lambda NameContains, StatusEquals, **_: [
                {
                    f"{kind}Summaries": [
                        {f"{kind}Name": name} for name, (status, _) in jobs.items() if status == StatusEquals
                    ]
                }
            ]
        )

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:
        if TrainingJobName not in self.trainings:
            raise client_error("ValidationException", "Could not find it")
        return {"HyperParameters": self.trainings[TrainingJobName][1]}

    def describe_hyper_parameter_tuning_job(self, HyperParameterTuningJobName: str) -> dict[str, Any]:
        told = self.searches[HyperParameterTuningJobName][1]
        return {"TrainingJobDefinition": {"StaticHyperParameters": told}}


class Account:
    """A deployed data bucket, and the commands that work on it."""

    def __init__(self, target: Target, s3: MemoryS3) -> None:
        self.target = target
        self.s3 = s3

    def upload(self, folder: Path, *options: str, name: str = "pets", answer: str = "") -> Result:
        line = [str(folder), "--dataset", name, *options]
        try:
            return (Terminal if answer else CliRunner)().invoke(
                upload, line, input=answer, standalone_mode=False
            )
        except Killed as killed:
            return Result(CliRunner(), b"", b"", b"", None, 137, killed)

    def dataset(self, *options: str, answer: str = "") -> Result:
        return (Terminal if answer else CliRunner)().invoke(
            dataset_command, options, input=answer, standalone_mode=False
        )

    def newest(self, name: str = "pets") -> Version:
        version = store.newest(self.s3, BUCKET, name)
        assert version is not None
        return version

    def pictures(self, name: str = "pets") -> list[Picture]:
        return list(store.pictures(self.s3, BUCKET, self.newest(name)))

    def places(self, name: str = "pets") -> dict[str, tuple[str, str]]:
        """Class and split of each content; a content that is there twice is an error."""
        pictures = self.pictures(name)
        places = {picture.content: (picture.label, picture.split) for picture in pictures}
        assert len(places) == len(pictures)
        for picture in pictures:
            assert self.newest(name).root + picture.key in self.s3.objects
        return places


@pytest.fixture
def account(target: Callable[..., Target], monkeypatch: pytest.MonkeyPatch) -> Account:
    s3 = MemoryS3()
    where = target("aws", s3=s3, sagemaker=Jobs())
    use(where, monkeypatch)
    return Account(where, s3)


def use(where: Target, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FakeTarget, "region", "us-east-1")
    for command in ("upload", "dataset", "datasets"):
        patch.setattr(f"cli.commands.{command}.outputs", lambda *_: {"DataBucket": BUCKET})
    patch.setattr("cli.commands.options.resolve", lambda _: where)


def ok(result: Result) -> str:
    assert result.exception is None, result.exception
    return result.output


def drawn(folder: Path, labels: tuple[str, ...] = ("cat", "dog"), count: int = 40) -> Path:
    for number, label in enumerate(labels):
        (folder / label).mkdir(parents=True)
        for picture in range(count):
            (folder / label / f"{picture:03d}.png").write_bytes(png(1000 * number + picture))
    return folder


def test_a_second_upload_sends_nothing_and_makes_no_version(account: Account, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pets")
    assert "pets@1: 80 pictures uploaded, 0 were there already" in ok(account.upload(folder, "--yes"))
    account.s3.calls.clear()
    assert "pets@1 has these pictures already: nothing to do." in ok(account.upload(folder))
    assert account.s3.called("put") == []


def test_an_interrupted_upload_goes_on_where_it_stopped(account: Account, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pets")
    account.s3.kill_before_write = 25
    assert isinstance(account.upload(folder, "--yes").exception, Killed)
    assert store.newest(account.s3, BUCKET, "pets") is None
    account.s3.kill_before_write = None
    assert "55 pictures uploaded, 25 were there already" in ok(account.upload(folder, "--yes"))
    assert len(account.places()) == 80


def test_renamed_pictures_are_the_same_pictures(account: Account, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pets")
    ok(account.upload(folder, "--yes"))
    before = account.places()
    for file in sorted(folder.rglob("*.png")):
        file.rename(file.with_name(f"new_{file.name}"))
    output = ok(account.upload(folder))  # nothing is taken away, so nothing is asked
    assert "80 renamed" in output
    assert "0 pictures uploaded, 80 were there already" in output
    assert account.places() == before


def test_relabelled_pictures_ask_and_are_in_their_new_class_alone(account: Account, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pets")
    ok(account.upload(folder, "--yes"))
    before = account.places()
    for file in sorted((folder / "cat").iterdir())[:10]:
        file.rename(folder / "dog" / f"was_cat_{file.name}")
    refused = account.upload(folder)
    assert isinstance(refused.exception, NotConfirmed)
    assert "10 in another class now: " in refused.output
    assert ".png (was cat)" in refused.output
    assert account.places() == before
    ok(account.upload(folder, "--yes"))
    after = account.places()
    assert len(after) == 80
    assert sum(before[content][0] == "cat" and after[content][0] == "dog" for content in before) == 10
    assert [before[content][1] for content in before] == [after[content][1] for content in before]


@pytest.mark.parametrize(
    ("option", "left"), [("--keep", 80), ("--replace", 70), ("--yes", 70)], ids=["keep", "replace", "yes"]
)
def test_deleted_pictures_go_or_stay_as_the_user_says(
    account: Account, tmp_path: Path, option: str, left: int
) -> None:
    folder = drawn(tmp_path / "pets")
    ok(account.upload(folder, "--yes"))
    before = account.places()
    for file in sorted((folder / "cat").iterdir())[:10]:
        file.unlink()
    refused = account.upload(folder)
    assert isinstance(refused.exception, NotConfirmed)
    assert "--keep" in str(refused.exception)
    assert "10 not in this folder any more" in refused.output
    assert account.places() == before
    ok(account.upload(folder, option))
    after = account.places()
    assert len(after) == left
    assert {content: before[content] for content in after} == after


def test_pictures_split_by_hand_are_where_the_folder_says(account: Account, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pets")
    ok(account.upload(folder, "--yes"))
    for label in ("cat", "dog"):
        for number, file in enumerate(sorted((folder / label).iterdir())):
            split = ("train", "train", "train", "valid", "test")[number % 5]
            (folder / split / label).mkdir(parents=True, exist_ok=True)
            file.rename(folder / split / label / file.name)
        (folder / label).rmdir()
    assert "in another split now" in account.upload(folder).output
    ok(account.upload(folder, "--yes"))
    assert len(account.places()) == 80
    assert account.newest().classes == {
        label: {"train": 24, "valid": 8, "test": 8} for label in ("cat", "dog")
    }


def test_another_folder_of_the_same_name_is_not_mixed_in(account: Account, tmp_path: Path) -> None:
    ok(account.upload(drawn(tmp_path / "one"), "--yes"))
    other = drawn(tmp_path / "two", ("car", "ship", "plane"), 12)
    for file in other.rglob("*.png"):
        file.write_bytes(file.read_bytes() + b"other")
    refused = account.upload(other)
    assert isinstance(refused.exception, NotConfirmed)
    assert "is it another data set? Then choose a name for it with --dataset." in refused.output
    assert set(account.newest().classes) == {"cat", "dog"}


def test_adding_pictures_asks_nothing_and_moves_none(account: Account, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pets")
    ok(account.upload(folder, "--yes"))
    before = account.places()
    for number in range(15):
        (folder / "cat" / f"a{number}.png").write_bytes(png(5000 + number))
    assert "15 added" in ok(account.upload(folder, "--yes"))
    after = account.places()
    assert len(after) == 95
    assert {content: after[content] for content in before} == before


def test_a_few_pictures_are_added_to_what_stays_in_the_splits_that_they_are_in(
    account: Account, tmp_path: Path
) -> None:
    ok(account.upload(drawn(tmp_path / "pets"), "--yes"))
    before = account.places()
    for number, place in enumerate(("train/cat", "train/dog", "cat", "dog")):
        folder = tmp_path / ("chosen" if place.startswith("train") else "flat") / place
        folder.mkdir(parents=True)
        for picture in range(2):
            (folder / f"{picture}.png").write_bytes(png(7000 + 10 * number + picture))
    refused = account.upload(tmp_path / "chosen", "--yes")
    assert isinstance(refused.exception, BadDataset), "alone it is too little"
    assert "4 added" in ok(account.upload(tmp_path / "chosen", "--keep", "--yes"))
    after = account.places()
    assert {content: after[content] for content in before} == before
    assert sorted(after[content] for content in after.keys() - before) == [
        *[("cat", "train")] * 2,
        *[("dog", "train")] * 2,
    ]
    assert "4 added" in ok(account.upload(tmp_path / "flat", "--keep", "--yes"))
    assert len(account.places()) == 88
    assert account.newest().count("test") == 12 + 2, "dealt with what stays, and not by themselves"
    (tmp_path / "chosen" / "train" / "cow").mkdir()
    (tmp_path / "chosen" / "train" / "cow" / "1.png").write_bytes(png(7999))
    refused = account.upload(tmp_path / "chosen", "--keep", "--yes")
    assert "has no picture of cow in valid" in str(refused.exception)
    assert len(account.places()) == 88


def test_a_synced_data_set_is_adopted_and_copied_not_sent_again(account: Account, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pets", count=10)
    for split, numbers in {"train": range(6), "valid": range(6, 8), "test": range(8, 10)}.items():
        for label in ("cat", "dog"):
            for number in numbers:
                body = (folder / label / f"{number:03d}.png").read_bytes()
                key = f"pets/{split}/{label}/{number:03d}.png"
                account.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    account.s3.put_object(Bucket=BUCKET, Key="pets/train/cat/only_there.png", Body=png(7777))
    (folder / "cat" / "new.png").write_bytes(png(8888))
    account.s3.calls.clear()
    output = ok(account.upload(folder, "--keep", "--yes"))
    assert "1 added" in output
    places = account.places()
    assert len(places) == 22
    assert sorted(split for _, split in places.values()).count("test") == 4
    assert len(account.s3.called("copy")) == 21
    assert [key for key in account.s3.called("put") if key.startswith(storage.pictures_of("pets"))] != []
    assert "pets@2 has these pictures already" in account.upload(folder, "--keep").output


def test_what_something_else_adds_later_is_said(account: Account, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pets")
    ok(account.upload(folder, "--yes"))
    account.s3.put_object(Bucket=BUCKET, Key="pets/train/cat/late.png", Body=png(7777))
    (folder / "cat" / "new.png").write_bytes(png(8888))
    output = " ".join(ok(account.upload(folder, "--yes")).split())
    assert "holds 1 objects that something else put there after pets@1" in output


def test_on_aws_nothing_is_sent_before_somebody_agreed_to_what_it_costs(
    account: Account, tmp_path: Path
) -> None:
    folder = drawn(tmp_path / "pets", count=20)
    refused = account.upload(folder, answer="n\n")
    assert isinstance(refused.exception, NotConfirmed)
    assert "This uploads 40 pictures" in refused.output
    assert "USD once for the requests" in refused.output
    assert account.s3.called("put") == []


def test_pictures_of_a_group_are_in_one_split(account: Account, tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    seed = 0
    for label in ("cat", "dog"):
        for session in range(12):
            (folder / label / f"s{session}").mkdir(parents=True)
            for number in range(4):
                seed += 1
                (folder / label / f"s{session}" / f"{number}.png").write_bytes(png(seed))
    for way in ("folder", r"\w+/s\d+", str(tmp_path / "groups.csv")):
        lines = ["file_name,group"]
        lines += [f"{p.relative_to(folder)},{p.parent}" for p in sorted(folder.rglob("*.png"))]
        (tmp_path / "groups.csv").write_text("\n".join(lines))
        name = f"by-{len(way)}"
        ok(account.upload(folder, "--yes", "--group-by", way, name=name))
        split_of: dict[str, set[str]] = {}
        for picture in account.pictures(name):
            split_of.setdefault(f"{picture.label}/{picture.name.split('/')[0]}", set()).add(picture.split)
        assert all(len(splits) == 1 for splits in split_of.values()), way
        assert account.newest(name).count("test") == 16


def test_the_rule_of_groups_is_remembered_until_it_is_ended(account: Account, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pets")
    ok(account.upload(folder, "--yes", "--group-by", r"\w+/\d\d"))
    assert account.newest().group_by == r"\w+/\d\d"
    groups = {picture.group for picture in account.pictures()}
    again = ok(account.upload(folder, "--yes"))
    assert "Grouped by \\w+/\\d\\d, as before (--group-by none ends it)." in again
    assert "nothing to do" in again
    (folder / "cat" / "99new.png").write_bytes(png(9999))
    ok(account.upload(folder, "--yes"))
    new = [picture for picture in account.pictures() if picture.name == "99new.png"]
    assert [picture.group for picture in new] == ["cat/99"]
    assert {picture.group for picture in account.pictures()} == groups | {"cat/99"}
    ended = ok(account.upload(folder, "--yes", "--group-by", "none"))
    assert "Grouped by" not in ended
    assert account.newest().group_by == ""
    assert {picture.group for picture in account.pictures()} == {""}
    assert "nothing to do" in ok(account.upload(folder, "--yes"))


def test_a_restored_version_has_its_rule_of_groups(account: Account, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pets")
    ok(account.upload(folder, "--yes", "--group-by", r"\w+/\d\d"))
    ok(account.upload(folder, "--yes", "--group-by", "none"))
    ok(account.dataset("pets", "--restore", "1", "--yes"))
    assert account.newest().group_by == r"\w+/\d\d"


@pytest.mark.parametrize(
    ("group_by", "words"),
    [
        ("(", "is no regular expression"),
        ("nowhere.csv", "cannot be read"),
        ("(cat|dog)/", "--group-by may have put a whole class into one group"),
    ],
)
def test_a_group_rule_that_cannot_be_used_is_refused(
    account: Account, tmp_path: Path, group_by: str, words: str
) -> None:
    refused = account.upload(drawn(tmp_path / "pets"), "--group-by", group_by)
    assert isinstance(refused.exception, BadDataset)
    assert words in str(refused.exception)


def photo(seed: int) -> Image.Image:
    """Something with shapes, unlike any other."""
    chance = random.Random(seed)
    small = Image.frombytes("RGB", (9, 7), chance.randbytes(9 * 7 * 3))
    return small.resize((180, 140), Image.Resampling.BICUBIC)


def test_near_duplicates_are_in_one_split(account: Account, tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    for number, label in enumerate(("cat", "dog")):
        (folder / label).mkdir(parents=True)
        for picture in range(20):
            photo(100 * number + picture).save(folder / label / f"{picture}.jpg", quality=92)
    for picture in range(8):  # as people have them
        original = photo(picture)
        original.save(folder / "cat" / f"{picture}_whatsapp.jpg", quality=45)
        original.resize((126, 98)).save(folder / "cat" / f"{picture}_small.jpg", quality=88)
    output = ok(account.upload(folder, "--yes"))
    assert "24 pictures belong together in 8 groups, each in one split." in output
    split_of: dict[str, set[str]] = {}
    for picture_ in account.pictures():
        if picture_.label == "cat":
            split_of.setdefault(picture_.name.split(".")[0].split("_")[0], set()).add(picture_.split)
    assert {len(splits) for splits in split_of.values()} == {1}
    # One that comes later goes to where its original is.
    tested = next(each for each in account.pictures() if each.split == "test" and each.label == "dog")
    Image.open(folder / "dog" / tested.name).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(
        folder / "dog" / "mirrored.jpg", quality=80
    )
    ok(account.upload(folder, "--yes"))
    assert next(each for each in account.pictures() if each.name == "mirrored.jpg").split == "test"


def test_near_duplicates_that_a_folder_has_in_two_splits_are_named(account: Account, tmp_path: Path) -> None:
    folder = tmp_path / "pets"
    for seed, (split, label) in enumerate((s, c) for s in ("train", "valid", "test") for c in ("cat", "dog")):
        (folder / split / label).mkdir(parents=True)
        for number in range(6):
            photo(10 * seed + number).save(folder / split / label / f"{number}.jpg", quality=92)
    photo(0).save(folder / "test" / "cat" / "copy.jpg", quality=40)
    output = " ".join(ok(account.upload(folder, "--yes")).split())
    assert "1 of the groups are in several splits, as the folder" in output
    assert "test/cat/copy.jpg" in output
    assert account.newest().classes["cat"]["test"] == 7


def test_decisions_about_single_pictures_are_applied_as_a_version(account: Account, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pets")
    ok(account.upload(folder, "--yes"))
    before = {picture.content: picture for picture in account.pictures()}
    cats = [picture for picture in account.pictures() if picture.label == "cat" and picture.split == "train"]
    by_hash, by_name, moved, kept, open_ = cats[:5]
    decided = [
        "picture,sha256,action,label,split",
        f"anything.png,{by_hash.content},drop,,",
        f"cat/{by_name.name},,relabel,dog,",
        f"cat/{moved.name},{moved.content},move,,test",
        f"cat/{kept.name},,keep,,",
        f"cat/{open_.name},,,dog,",
        "cat/gone.png,,drop,,",
    ]
    (tmp_path / "decisions.csv").write_text("\n".join(decided))
    output = ok(account.upload(folder, "--yes", "--decisions", str(tmp_path / "decisions.csv")))
    assert "cat/gone.png is decided about, but is not in the folder" in output
    after = account.places()
    assert account.newest().origin == "decisions"
    assert len(after) == 79
    assert by_hash.content not in after
    changed = {each: after[each] for each in after if after[each] != (before[each].label, before[each].split)}
    assert changed == {by_name.content: ("dog", "train"), moved.content: ("cat", "test")}


def test_a_picture_in_two_classes_is_decided_for_one(account: Account, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pets")
    shutil.copy(folder / "cat" / "000.png", folder / "dog" / "copy.png")
    ok(account.upload(folder, "--yes"))
    assert len(account.places()) == 79
    (tmp_path / "d.csv").write_text("picture,action,label\ndog/copy.png,relabel,cat\n")
    ok(account.upload(folder, "--yes", "--decisions", str(tmp_path / "d.csv")))
    assert len(account.places()) == 80


@pytest.mark.parametrize(
    ("text", "words"),
    [("picture,action\na.png,eat", "line 2: has the action 'eat'"), (None, "cannot be read")],
)
def test_decisions_that_cannot_be_applied_are_refused(
    account: Account, tmp_path: Path, text: str | None, words: str
) -> None:
    file = tmp_path / "d.csv"
    if text:
        file.write_text(text)
    refused = account.upload(drawn(tmp_path / "pets", count=5), "--decisions", str(file))
    assert isinstance(refused.exception, BadDataset)
    assert words in str(refused.exception)


@pytest.mark.parametrize("name", ["", "a/b", "-a", "a b", "ä", "a" * 64, "datasets"])
def test_a_name_no_key_or_payload_carries_is_refused(name: str) -> None:
    with pytest.raises(BadDataset, match="cannot be a data set's name"):
        check_name(name)


def test_what_an_upload_costs_is_its_requests_and_its_bytes() -> None:
    picture = Picture("ant", "train", "a.png", "0" * 64, 2_000_000, "a.png")
    cost = Todo((picture,) * 10_000, 0).cost
    assert "10000 pictures, 20.000 GB" in cost
    assert "0.05 USD once" in cost
    assert "0.46 USD a month" in cost
    assert "less than 0.01 USD once" in Todo((picture,), 0).cost


def test_a_file_that_did_not_change_is_not_decoded_again(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = drawn(tmp_path / "pets", count=10)
    ok(account.upload(folder, "--yes"))
    looked: list[str] = []
    from cli.data import folder as folders

    check = folders.check
    monkeypatch.setattr(folders, "check", lambda path: looked.append(path.name) or check(path))
    (folder / "cat" / "003.png").write_bytes(png(9999))
    (folder / "dog" / "003.png").write_bytes(b"broken")
    output = ok(account.upload(folder, "--yes"))
    assert sorted(looked) == ["003.png", "003.png"]
    assert "cannot be decoded" in output
    looked.clear()
    (account.target.home / "pictures.sqlite").write_bytes(b"no database")
    ok(account.upload(folder, "--yes"))
    assert len(looked) == 20


def test_versions_are_shown_compared_restored_and_deleted(account: Account, tmp_path: Path) -> None:
    folder = drawn(tmp_path / "pets")
    ok(account.upload(folder, "--yes"))
    for file in sorted((folder / "cat").iterdir())[:10]:
        file.unlink()
    ok(account.upload(folder, "--replace"))
    assert "pets@2: 70 pictures" in ok(account.dataset("pets"))
    assert "pets@1: 80 pictures" in ok(account.dataset("pets@1"))
    assert "10 not in this folder any more" in ok(account.dataset("pets", "--compare", "1"))
    refused = account.dataset("pets", "--restore", "1", answer="n\n")
    assert isinstance(refused.exception, NotConfirmed)
    assert "pets@3 has the pictures of pets@1" in ok(account.dataset("pets", "--restore", "1", "--yes"))
    assert len(account.places()) == 80
    assert "0 pictures were needed by no other version" in ok(
        account.dataset("pets", "--delete", "1", "--yes")
    )
    assert "10 pictures were needed" in ok(account.dataset("pets", "--delete", "3", "--yes"))
    assert account.newest().number == 2
    assert "pets" in ok(CliRunner().invoke(datasets_command, [], standalone_mode=False))
    ok(account.dataset("pets", "--delete", "all", "--yes"))
    assert account.s3.keys("datasets/") == []


TOLD = {"dataset": "pets", "dataset_version": "1", "run": "classifier-search"}


@pytest.mark.parametrize(
    ("kind", "name", "status", "told", "run"),
    [
        ("searches", "classifier-search", "InProgress", TOLD, "classifier-search"),
        ("searches", "classifier-search", "Stopping", TOLD, "classifier-search"),
        ("searches", "classifier-search", "Completed", TOLD, "classifier-search"),
        ("trainings", "classifier-search-final", "InProgress", TOLD, "classifier-search"),
        ("trainings", "classifier-doctor-1", "InProgress", {"dataset": "pets@1"}, "classifier-doctor-1"),
        ("trainings", "classifier-search-final", "Completed", TOLD, ""),
        ("trainings", "classifier-a", "InProgress", {**TOLD, "dataset_version": "2"}, ""),
        ("trainings", "classifier-a", "InProgress", {**TOLD, "dataset": "petshop"}, ""),
        ("trainings", "other-a", "InProgress", TOLD, ""),
    ],
)
def test_a_version_that_a_run_works_on_is_not_deleted(
    account: Account, tmp_path: Path, kind: str, name: str, status: str, told: dict[str, str], run: str
) -> None:
    folder = drawn(tmp_path / "pets", count=5)
    ok(account.upload(folder, "--yes"))
    jobs = account.target.client("sagemaker")
    getattr(jobs, kind)[name] = status, told
    for which in ("1", "all"):
        before = dict(account.s3.objects)
        asked = account.dataset("pets", "--delete", which, "--yes")
        if run:
            assert isinstance(asked.exception, CliError)
            assert f"pets@1 is what {run} works on" in str(asked.exception)
            assert account.s3.objects == before
        else:
            assert "Deleted pets@1" in ok(asked)
            break


def test_a_search_whose_last_training_was_there_is_over(account: Account, tmp_path: Path) -> None:
    ok(account.upload(drawn(tmp_path / "pets", count=5), "--yes"))
    jobs = account.target.client("sagemaker")
    jobs.searches["classifier-search"] = "Completed", TOLD
    jobs.trainings["classifier-search-final"] = "Failed", TOLD
    assert "Deleted pets@1" in ok(account.dataset("pets", "--delete", "1", "--yes"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("nothing",), "None of the data sets has 'nothing' in its name"),
        (("pets@7",), "has no version 7; there are: 1"),
        (("pets", "--restore", "9"), "has no version 9"),
        (("pets", "--delete", "9"), "has no version 9"),
        (("pets", "--delete", "some"), "a version's number, or all"),
        (("pets", "--adopt"), "Nothing lies at"),
        (("a/b",), "names no data set"),
        (("pets", "--adopt", "--restore", "1"), "one at a time"),
    ],
)
def test_what_is_wrong_with_a_data_set_s_name_or_version_is_said(
    account: Account, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    ok(account.upload(drawn(tmp_path / "pets", count=5), "--yes"))
    refused = account.dataset(*options)
    assert refused.exception is not None
    assert words in str(refused.exception) + getattr(refused.exception, "message", "")


def test_a_data_set_is_found_by_a_part_of_its_name(account: Account, tmp_path: Path) -> None:
    ok(account.upload(drawn(tmp_path / "pets", count=5), "--yes"))
    assert "pets@1: " in ok(account.dataset("pet"))
    assert "pets@1: " in ok(account.dataset("et@1"))
    account.s3.objects["pets-2/train/cat/1.png"] = b"x"
    assert "pets@1: " in ok(account.dataset("pets"))
    asked = account.dataset("et")
    assert isinstance(asked.exception, Ambiguous)
    assert "pets-2" in asked.exception.message


def test_a_damaged_version_is_one_clear_error(account: Account, tmp_path: Path) -> None:
    ok(account.upload(drawn(tmp_path / "pets", count=5), "--yes"))
    account.s3.objects[storage.version_of("pets", 1)] = b"{"
    for refused in (account.dataset("pets"), account.upload(tmp_path / "pets")):
        assert isinstance(refused.exception, CliError)
        assert "datasets/pets/versions/1.json is no version" in str(refused.exception)
    assert "?" in ok(CliRunner().invoke(datasets_command, [], standalone_mode=False))


class Edits(RuleBasedStateMachine):
    """People edit a folder and upload it: the data set is always what the folder says."""

    @initialize(data=st.integers(0, 10**6))
    def begin(self, data: int) -> None:
        import tempfile

        self.chance = random.Random(data)
        self.place = Path(tempfile.mkdtemp())
        self.folder = drawn(self.place / "pets", count=8)
        self.next = 10_000
        self.patch = pytest.MonkeyPatch()
        s3 = MemoryS3()
        where = FakeTarget(kind="aws", project="p", root=self.place, home=self.place / "h", port=4740)
        where.__dict__["clients"] = {"s3": s3}
        use(where, self.patch)
        self.account = Account(where, s3)
        self.split_of: dict[str, str] = {}
        self.uploaded = False
        self.upload()

    def teardown(self) -> None:
        if hasattr(self, "patch"):
            self.patch.undo()
            shutil.rmtree(self.place, ignore_errors=True)

    def some(self, most: int) -> list[Path]:
        files = sorted(self.folder.rglob("*.png"))
        return self.chance.sample(files, min(most, len(files)))

    @rule(count=st.integers(1, 4))
    def rename(self, count: int) -> None:
        for file in self.some(count):
            file.rename(file.with_name(f"r{self.chance.randrange(10**9)}.png"))

    @rule(count=st.integers(1, 3))
    def relabel(self, count: int) -> None:
        for file in self.some(count):
            other = "dog" if file.parent.name == "cat" else "cat"
            file.rename(file.parent.with_name(other) / f"m{self.chance.randrange(10**9)}.png")

    @rule(count=st.integers(1, 3))
    def add(self, count: int) -> None:
        for _ in range(count):
            self.next += 1
            label = self.chance.choice(("cat", "dog"))
            (self.folder / label / f"n{self.next}.png").write_bytes(png(self.next))

    @rule(count=st.integers(1, 2))
    def copy(self, count: int) -> None:
        for file in self.some(count):
            shutil.copy(file, file.with_name(f"c{self.chance.randrange(10**9)}.png"))

    @rule(count=st.integers(1, 2))
    def delete(self, count: int) -> None:
        for label in ("cat", "dog"):
            files = sorted((self.folder / label).iterdir())
            for file in files[:count] if len(files) > 6 else []:
                file.unlink()

    @rule(keep=st.booleans())
    def upload(self, keep: bool = False) -> None:
        options = ["--yes", "--keep"] if keep else ["--yes"]
        result = self.account.upload(self.folder, *options)
        self.uploaded = result.exception is None
        assert result.exception is None or isinstance(result.exception, BadDataset), result.exception
        if self.uploaded and not keep:
            self.labels_are_the_folder_s()

    @rule(kills=st.integers(0, 30))
    def upload_killed(self, kills: int) -> None:
        before = self.account.places()
        self.account.s3.kill_before_write = kills
        result = self.account.upload(self.folder, "--yes")
        self.account.s3.kill_before_write = None
        if isinstance(result.exception, Killed):
            assert self.account.places() == before

    def labels_are_the_folder_s(self) -> None:
        import hashlib

        said: dict[str, set[str]] = {}
        for file in self.folder.rglob("*.png"):
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            said.setdefault(content, set()).add(file.parent.name)
        expected = {content: labels.pop() for content, labels in said.items() if len(labels) == 1}
        assert {content: label for content, (label, _) in self.account.places().items()} == expected

    @invariant()
    def no_picture_is_in_two_splits_or_moves(self) -> None:
        if not hasattr(self, "account"):
            return
        places = self.account.places()  # fails where a content is there twice
        for content, (_, split) in places.items():
            assert self.split_of.setdefault(content, split) == split or split == "test"


Edits.TestCase.settings = settings(
    max_examples=20, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
TestEdits = Edits.TestCase


def test_the_shared_cases_end_as_expected(account: Account, tmp_path: Path) -> None:
    """The pointer names the version, and the lists of a job name its pictures."""
    ok(account.upload(drawn(tmp_path / "pets"), "--yes"))
    assert json.loads(account.s3.objects[storage.newest_of("pets")]) == {"version": 1}
    listed = [
        key
        for split in ("train", "valid", "test")
        for key in json.loads(account.s3.objects[storage.version_list("pets", 1, split)])[1:]
    ]
    assert len(listed) == len(set(listed)) == 80
    assert all(key in account.s3.objects for key in listed)
