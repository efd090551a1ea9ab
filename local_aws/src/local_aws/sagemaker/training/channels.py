"""Input channels: from S3 into the job's folder, through a cache that jobs share.

Every object is downloaded once per version (its ETag) into a cache and hard-linked into the jobs that want
it, so a tuning job with twenty trials holds one copy of the dataset. The role's permissions count all the
same: listing and one read of every channel are done with the role's credentials for every job.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local_aws.core.errors import ValidationException
from local_aws.sagemaker.s3_files import PARALLEL, S3Uri, inside, list_objects
from local_aws.sagemaker.training import manifests
from local_aws.sagemaker.training.manifests import Source, source_of

Channel = dict[str, Any]
# What the cache may hold when the server starts; the longest unused files go first.
CACHE_BYTES = 10 * 2**30
_PART = ".part"


class ChannelError(Exception):
    """A channel cannot be downloaded; the message says which one and why."""


def check(channels: Iterable[Channel], mode: str = "File") -> None:
    """Raise ValidationException for channels that cannot be served, naming the channel and the member.

    Args:
        channels: as in the request.
        mode: TrainingInputMode, which a channel without an InputMode has.
    """
    known_names: set[str] = set()
    for channel in channels:
        name = channel["ChannelName"]
        if name in known_names:
            raise ValidationException(f"InputDataConfig: the channel name {name} is used twice.")
        known_names.add(name)
        s3 = channel["DataSource"].get("S3DataSource")
        if s3 is None:
            raise ValidationException(
                f"InputDataConfig: channel {name} has no S3DataSource, the one kind the local AWS has."
            )
        if s3["S3DataType"] not in ("S3Prefix", "ManifestFile"):
            raise ValidationException(
                f"InputDataConfig: channel {name} has S3DataType {s3['S3DataType']}; the local AWS knows "
                "S3Prefix and ManifestFile."
            )
        if s3["S3DataType"] == "ManifestFile" and channel.get("InputMode", mode) == "FastFile":
            raise ValidationException(
                f"InputDataConfig: channel {name} has a ManifestFile in FastFile mode, which AWS does not "
                "document; the local AWS takes it in File mode."
            )


def check_objects(s3: Any, channels: Iterable[Channel], role: str, region: str) -> None:
    """Raise ValidationException, worded as on AWS, when the role sees nothing under a channel's URI."""
    for channel in channels:
        uri = channel["DataSource"]["S3DataSource"]["S3Uri"]
        parsed, reason = S3Uri.parse(uri), ""
        try:
            if s3.list_objects_v2(Bucket=parsed.bucket, Prefix=parsed.key, MaxKeys=1).get("Contents"):
                continue
        except ClientError as error:
            reason = f" Error message from S3: {error.response['Error']['Message']}"
        raise ValidationException(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the '
            f"bucket exists in the selected region ({region}), that objects exist under that S3 prefix, and "
            f'that the role "{role}" has "s3:ListBucket" permissions on bucket "{parsed.bucket}".{reason}'
        )


class ChannelCache:
    """Objects of S3 as local files, one per version, linked into the folders of jobs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def prune(self, limit: int = CACHE_BYTES) -> None:
        """Delete what has not been linked for the longest time until the cache holds ``limit`` bytes.

        Downloads cut short are deleted too, so nothing may be downloading.
        """
        for part in self.folder.rglob(f"*{_PART}"):
            part.unlink()
        # Linking sets a file's change time, so it tells when the file was last used.
        files = sorted(
            ((path.stat(), path) for path in self.folder.rglob("*") if path.is_file()),
            key=lambda entry: entry[0].st_ctime,
        )
        total = sum(status.st_size for status, _ in files)
        for status, path in files:
            if total <= limit:
                return
            path.unlink()
            total -= status.st_size

    def fill(self, s3: Any, channel: Channel, folder: Path, stopped: Callable[[], bool]) -> int:
        """Put a channel's files below ``folder``; how many. Stops early when ``stopped()`` becomes true.

        Raises ChannelError with the channel's name and what S3 (as the role) or the file system said.
        """
        folder.mkdir(parents=True, exist_ok=True)
        try:
            sources = _sources(s3, channel["DataSource"]["S3DataSource"])
            if sources:
                # Linking asks nobody; this fails when the role may list the bucket but not read from it.
                s3.head_object(Bucket=sources[0].bucket, Key=sources[0].key)

            def bring(source: Source) -> None:
                if not stopped():
                    self._link(s3, source, inside(folder, source.name))

            with ThreadPoolExecutor(PARALLEL) as pool:
                list(pool.map(bring, sources))
        except (ClientError, OSError, ValueError) as error:
            raise ChannelError(f"channel {channel['ChannelName']}: {error}") from error
        return len(sources)

    def _link(self, s3: Any, source: Source, target: Path) -> None:
        cached = self._cached(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        # A hard link shares its bytes: whoever wrote into an input file wrote into the cache as well.
        if _intact(cached, source) and _linked(cached, target):
            return
        part = cached.with_name(f"{uuid.uuid4().hex}{_PART}")
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            _download(s3, source, part)
            # Linked under its own name, which no other job knows; under the cache's, another job that brings
            # the same object may replace it between any two calls of ours.
            os.link(part, target)
            part.replace(cached)
        finally:
            part.unlink(missing_ok=True)  # half a file must not fill the disk

    def _cached(self, source: Source) -> Path:
        identity = json.dumps([source.bucket, source.key, source.etag, source.size, source.modified])
        digest = hashlib.sha256(identity.encode()).hexdigest()
        return self.folder / digest[:2] / digest[2:]


def _download(s3: Any, source: Source, part: Path) -> None:
    body = s3.get_object(Bucket=source.bucket, Key=source.key)["Body"]
    with closing(body), part.open("wb") as file:
        for chunk in body.iter_chunks(2**20):
            file.write(chunk)
    os.utime(part, (source.modified, source.modified))
    part.chmod(0o444)


def _linked(cached: Path, target: Path) -> bool:
    """Link a file of the cache; False where it is gone, or (says link(2)) replaced at this moment."""
    try:
        os.link(cached, target)
    except FileNotFoundError:
        return False
    return True


def _intact(path: Path, source: Source) -> bool:
    try:
        status = path.stat()
    except FileNotFoundError:
        return False
    return status.st_size == source.size and abs(status.st_mtime - source.modified) < 1e-3


def _sources(s3: Any, data: dict[str, Any]) -> list[Source]:
    uri = S3Uri.parse(data["S3Uri"])
    if data["S3DataType"] == "ManifestFile":
        return manifests.sources(s3, uri)
    return [
        source_of(uri.bucket, entry, local_name(uri.key, entry["Key"])) for entry in list_objects(s3, uri)
    ]


def local_name(prefix: str, key: str) -> str:
    """Where the object of a key lies in the channel's folder, given the channel's key prefix.

    >>> local_name("data/train/", "data/train/cat/1.jpg")
    'cat/1.jpg'
    >>> local_name("data/train", "data/train/cat/1.jpg")
    'cat/1.jpg'
    >>> local_name("data/train.csv", "data/train.csv")
    'train.csv'
    >>> local_name("data/tra", "data/train/1.jpg")
    'train/1.jpg'
    """
    if not prefix or prefix.endswith("/"):
        return key[len(prefix) :]
    if key.startswith(f"{prefix}/"):
        return key[len(prefix) + 1 :]
    return key[prefix.rfind("/") + 1 :]
