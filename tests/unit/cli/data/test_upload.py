"""Uploads send what is missing and nothing else, whatever was interrupted before."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from cli.commands.upload import upload
from cli.data.dataset import BadDataset, Picture
from cli.data.upload import Todo, check_name, key_of, look, send
from cli.errors import NotConfirmed
from cli.target import Target
from tests.unit.cli.conftest import dataset_of

Make = Callable[[dict[str, int]], Path]
Targets = Callable[..., Target]


class Bucket:
    """S3 as far as uploads use it. `fail_after` puts, the next one fails."""

    def __init__(self, fail_after: int | None = None) -> None:
        self.objects: dict[str, bytes] = {}
        self.puts: list[str] = []
        self.fail_after = fail_after
        self._lock = threading.Lock()

    def put_object(self, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:
        with self._lock:
            if self.fail_after is not None and len(self.puts) >= self.fail_after:
                raise KeyboardInterrupt
            self.puts.append(Key)
            self.objects[Key] = Body

    def get_paginator(self, name: str) -> Any:
        assert name == "list_objects_v2"

        def paginate(Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:
            found = [key for key in sorted(self.objects) if key.startswith(Prefix)]
            for start in range(0, max(1, len(found)), 7):
                yield {"Contents": [self._entry(key) for key in found[start : start + 7]]}

        return SimpleNamespace(paginate=paginate)

    def _entry(self, key: str) -> dict[str, Any]:
        body = self.objects[key]
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return {"Key": key, "ETag": f'"{etag}"', "Size": len(body)}


def test_a_second_upload_sends_nothing(folder: Make, target: Targets) -> None:
    s3 = Bucket()
    aws, dataset = target(s3=s3), dataset_of(folder({"ant": 20, "bee": 20}))
    assert send(aws, dataset, look(aws, "b", "insects")).sent == 40
    assert set(s3.objects) == {f"insects/{key_of(picture)}" for picture in dataset.pictures}
    again = send(aws, dataset, look(aws, "b", "insects"))
    assert (again.sent, again.present, again.extra) == (0, 40, ())
    assert len(s3.puts) == 40


def test_an_interrupted_upload_goes_on_where_it_stopped(folder: Make, target: Targets) -> None:
    s3 = Bucket(fail_after=25)
    aws, dataset = target(s3=s3), dataset_of(folder({"ant": 50, "bee": 50}))
    with pytest.raises(KeyboardInterrupt):
        send(aws, dataset, look(aws, "b", "insects"))
    assert len(s3.objects) == 25
    s3.fail_after = None
    done = send(aws, dataset, look(aws, "b", "insects"))
    assert (done.sent, done.present) == (75, 25)
    assert len(s3.objects) == 100


def test_a_changed_picture_is_sent_again(folder: Make, target: Targets) -> None:
    s3 = Bucket()
    root = folder({"ant": 5, "bee": 5})
    aws, dataset = target(s3=s3), dataset_of(root)
    send(aws, dataset, look(aws, "b", "d"))
    key = next(iter(s3.objects))
    s3.objects[key] = s3.objects[key][::-1]
    assert send(aws, dataset, look(aws, "b", "d")).sent == 1


def test_pictures_the_folder_lacks_are_told_and_kept(folder: Make, target: Targets) -> None:
    s3 = Bucket()
    s3.objects["d/train/ant/old.png"] = b"x"
    s3.objects["other/train/ant/old.png"] = b"x"
    aws, dataset = target(s3=s3), dataset_of(folder({"ant": 5, "bee": 5}))
    assert send(aws, dataset, look(aws, "b", "d")).extra == ("train/ant/old.png",)
    assert "d/train/ant/old.png" in s3.objects


def test_adding_pictures_never_moves_one_from_test_to_train(folder: Make, target: Targets) -> None:
    s3 = Bucket()
    root = folder({"ant": 20, "bee": 20})
    aws = target(s3=s3)
    send(aws, dataset_of(root), look(aws, "b", "d"))
    before = look(aws, "b", "d").assigned()
    for number in range(15):
        (root / "ant" / f"new{number}.png").write_bytes(
            (root / "ant" / "0.png").read_bytes() + bytes([number])
        )
    remote = look(aws, "b", "d")
    assert send(aws, dataset_of(root, remote.assigned()), remote).extra == ()
    after = look(aws, "b", "d").assigned()
    assert {key: after[key] for key in before} == before


def test_progress_counts_what_was_there_too(folder: Make, target: Targets) -> None:
    aws, dataset = target(s3=Bucket()), dataset_of(folder({"ant": 20, "bee": 20}))
    steps: list[int] = []
    send(aws, dataset, look(aws, "b", "d"), steps.append)
    assert sum(steps) == 40


@pytest.mark.parametrize("name", ["", "a/b", "-a", "a b", "ä", "a" * 64])
def test_a_name_no_key_or_payload_carries_is_refused(name: str) -> None:
    with pytest.raises(BadDataset, match="cannot be a dataset's name"):
        check_name(name)


@pytest.fixture
def aws(target: Targets, monkeypatch: pytest.MonkeyPatch) -> Callable[[Bucket], Target]:
    """An account with a deployed data bucket."""
    from cli.commands import upload as bring_data

    def make(s3: Bucket) -> Target:
        where = target("aws", s3=s3)
        monkeypatch.setattr(type(where), "region", "us-east-1")
        monkeypatch.setattr(bring_data, "outputs", lambda *_: {"DataBucket": "b"})
        monkeypatch.setattr("cli.commands.options.resolve", lambda _: where)
        return where

    return make


def test_on_aws_nothing_is_sent_before_somebody_agreed_to_what_it_costs(
    folder: Make, aws: Callable[[Bucket], Target]
) -> None:
    s3 = Bucket()
    aws(s3)
    place = str(folder({"ant": 20, "bee": 20}))
    refused = CliRunner().invoke(upload, [place, "--target", "aws"], input="n\n", standalone_mode=False)
    assert isinstance(refused.exception, NotConfirmed)
    assert "This uploads 40 pictures" in refused.output
    assert "USD once for the requests" in refused.output
    assert "a month for as long as they are stored" in refused.output
    assert s3.puts == []
    assert CliRunner().invoke(upload, [place, "--target", "aws", "--yes"]).exit_code == 0
    assert len(s3.puts) == 40
    again = CliRunner().invoke(upload, [place, "--target", "aws"])  # nothing is sent, so nothing is asked
    assert (again.exit_code, len(s3.puts)) == (0, 40)


def test_what_an_upload_costs_is_its_requests_and_its_bytes() -> None:
    picture = Picture(Path("a.png"), "ant", "a.png", 2_000_000, "0" * 32, "train")
    cost = Todo((picture,) * 10_000).cost
    assert "10000 pictures, 20.000 GB" in cost
    assert "0.05 USD once" in cost
    assert "0.46 USD a month" in cost
    assert "less than 0.01 USD once" in Todo((picture,)).cost
