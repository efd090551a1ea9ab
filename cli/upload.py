"""Bringing a dataset into the data bucket: in parallel, skipping what is there, ready to be interrupted.

A picture is there when the object of its key has its size and its MD5 (the ETag S3 gives an object put in one
piece). So a second upload moves nothing, and one that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from cli import prices
from cli.dataset import BadDataset, Dataset, Picture
from cli.target import Target
from contract.datasets import SPLITS
from contract.names import DATASET

WORKERS = 16


@dataclass(frozen=True)
class Remote:
    """What a dataset's prefix holds: ETag and size by key below `<dataset>/`."""

    bucket: str
    dataset: str
    objects: dict[str, tuple[str, int]]

    def assigned(self) -> dict[tuple[str, str], str]:
        """The split every uploaded picture is in, by (class, file name)."""
        splits = {}
        for key in self.objects:
            split, _, rest = key.partition("/")
            label, _, name = rest.partition("/")
            if split in SPLITS and name:
                splits[label, name] = split
        return splits

    def holds(self, picture: Picture) -> bool:
        return self.objects.get(key_of(picture)) == (picture.md5, picture.size)


@dataclass(frozen=True)
class Todo:
    """What an upload will send."""

    pictures: tuple[Picture, ...]

    @property
    def gigabytes(self) -> float:
        return sum(picture.size for picture in self.pictures) / 1e9

    @property
    def cost(self) -> str:
        """What S3 bills for it, in words."""
        count = len(self.pictures)
        return f"This uploads {count} pictures{prices.of_storing(count, self.gigabytes)}"


@dataclass(frozen=True)
class Uploaded:
    """What an upload did: pictures sent, pictures that were there, and objects the folder does not have."""

    sent: int
    present: int
    extra: tuple[str, ...]


def key_of(picture: Picture) -> str:
    """The key below `<dataset>/`."""
    return f"{picture.split}/{picture.label}/{picture.name}"


def check_name(name: str) -> str:
    """The dataset name, if a bucket key, a job's tag and a Lambda payload can all carry it."""
    if not DATASET.fullmatch(name):
        raise BadDataset(
            f"{name!r} cannot be a dataset's name: letters, digits, dots, dashes and underscores, at most "
            "63, beginning with a letter or digit. Choose one with --dataset."
        )
    return name


def look(target: Target, bucket: str, dataset: str) -> Remote:
    """Lists what the bucket holds of a dataset."""
    prefix = f"{dataset}/"
    objects = {}
    pages = target.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    for page in pages:
        for item in page.get("Contents", []):
            objects[item["Key"].removeprefix(prefix)] = (item["ETag"].strip('"'), int(item["Size"]))
    return Remote(bucket, dataset, objects)


def missing(dataset: Dataset, remote: Remote) -> Todo:
    """What is not there yet."""
    return Todo(tuple(picture for picture in dataset.pictures if not remote.holds(picture)))


def send(
    target: Target, dataset: Dataset, remote: Remote, on_sent: Callable[[int], None] = lambda count: None
) -> Uploaded:
    """Uploads what is not there; `on_sent` is called with the number of pictures just done."""
    todo = missing(dataset, remote).pictures
    present = len(dataset.pictures) - len(todo)
    on_sent(present)
    s3 = target.client("s3", max_pool_connections=WORKERS)
    pool = ThreadPoolExecutor(WORKERS)
    try:
        pending: set[Future[None]] = set()
        for picture in todo:
            if len(pending) >= 4 * WORKERS:
                pending = _collect(pending, on_sent)
            pending.add(pool.submit(_put, s3, remote, picture))
        while pending:
            pending = _collect(pending, on_sent)
    finally:  # on Ctrl-C what is under way ends, nothing new starts
        pool.shutdown(wait=True, cancel_futures=True)
    ours = {key_of(picture) for picture in dataset.pictures}
    return Uploaded(len(todo), present, tuple(sorted(set(remote.objects) - ours)))


def _collect(pending: set[Future[None]], on_sent: Callable[[int], None]) -> set[Future[None]]:
    done, rest = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
        on_sent(1)
    return rest


def _put(s3: Any, remote: Remote, picture: Picture) -> None:
    content_type = mimetypes.guess_type(picture.name)[0] or "application/octet-stream"
    s3.put_object(
        Bucket=remote.bucket,
        Key=f"{remote.dataset}/{key_of(picture)}",
        Body=picture.path.read_bytes(),
        ContentType=content_type,
    )
