"""Deleting versions of a data set, and with them what no other version needs.

A version that is being deleted lies under `deleting/`, so that whoever comes next knows what to finish.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

from contract import objects, storage
from contract.datasets import SPLITS, manifest, store
from contract.datasets.manifest import Version

_BATCH: Final = 1000
"""Of one DeleteObjects request."""


def delete(s3: Any, bucket: str, version: Version) -> int:
    """Delete a version; the newest one that is left becomes the newest.

    Pictures that came past `classifier upload` stay where they are: this project did not bring them.

    Returns:
        How many pictures no version needed any more, which are gone now.
    """
    dataset = version.dataset
    now = store.newest(s3, bucket, dataset)
    if now is not None and now.number == version.number:
        others = [number for number in store.numbers(s3, bucket, dataset) if number != version.number]
        if others:
            store.point(s3, bucket, store.read(s3, bucket, dataset, others[-1]))
        else:
            s3.delete_object(Bucket=bucket, Key=storage.newest_of(dataset))
    body = manifest.to_json(version)
    s3.put_object(Bucket=bucket, Key=storage.deletion_of(dataset, version.number), Body=body)
    s3.delete_object(Bucket=bucket, Key=version.key)
    return finish(s3, bucket, dataset)


def finish(s3: Any, bucket: str, dataset: str) -> int:
    """Finish the deletions that were begun; returns how many pictures are gone."""
    freed = 0
    for each in objects.below(s3, bucket, storage.deletions_of(dataset)):
        key = each["Key"]
        content = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        version = manifest.from_json(content, key)
        freed += _free(s3, bucket, version)
        s3.delete_object(Bucket=bucket, Key=key)
    return freed


def _free(s3: Any, bucket: str, version: Version) -> int:
    dataset = version.dataset
    others = [store.read(s3, bucket, dataset, number) for number in store.numbers(s3, bucket, dataset)]
    needed = {key for other in others for key in other.shards}
    unneeded = [key for key in version.shards if key not in needed]
    freed = 0
    if version.root == storage.pictures_of(dataset):
        own = {picture.key for picture in store.listed(s3, bucket, _existing(s3, bucket, unneeded))}
        # A version has a picture once, so those of its own shards are in no shard that it shares.
        for picture in store.listed(s3, bucket, needed.difference(version.shards)):
            own.discard(picture.key)
        freed = len(own)
        _delete_all(s3, bucket, (version.root + key for key in sorted(own)))
    lists = (storage.version_list(dataset, version.number, name) for name in (*SPLITS, store.SHARDS))
    _delete_all(s3, bucket, lists)
    _delete_all(s3, bucket, unneeded)
    return freed


def _existing(s3: Any, bucket: str, shards: Iterable[str]) -> list[str]:
    """Those that an interrupted deletion has left."""
    wanted = list(shards)
    if not wanted:
        return []
    place = wanted[0].rpartition("/")[0] + "/"
    there = {each["Key"] for each in objects.below(s3, bucket, place)}
    return [key for key in wanted if key in there]


def _delete_all(s3: Any, bucket: str, keys: Iterable[str]) -> None:
    rest = iter(keys)
    while batch := list(islice(rest, _BATCH)):
        answer = s3.delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": key} for key in batch], "Quiet": True}
        )
        for error in answer.get("Errors", []):
            raise OSError(f"s3://{bucket}/{error['Key']} could not be deleted: {error['Message']}")
