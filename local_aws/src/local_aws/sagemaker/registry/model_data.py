"""From an artifact in S3 to files in a server's ``model`` folder.

The artifact is fetched once per deployment, with the credentials of the model's role, and kept beside the
servers: a server that is restarted (or brought back after a crash of the whole machine) needs S3 no more.
Extraction trusts nothing in the archive (see `core.archives`).
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local_aws.core.archives import UnsafeArchiveError, unpack_tar
from local_aws.core.errors import AwsError
from local_aws.sagemaker.s3_files import S3Uri, list_objects

# What the name of a download in progress ends in.
PARTIAL = ".partial"


class ModelDataError(Exception):
    """The artifact of a model cannot be had or cannot be unpacked; the message says which and why."""


def readable(s3: Any, url: str, *, archive: bool) -> None:
    """Raises ModelDataError unless the client can see the artifact."""
    uri = S3Uri.parse(url)
    try:
        if archive:
            s3.head_object(Bucket=uri.bucket, Key=uri.key)
        elif not s3.list_objects_v2(Bucket=uri.bucket, Prefix=uri.key, MaxKeys=1).get("Contents"):
            raise ModelDataError(f"there is nothing below {url}")
    except (ClientError, BotoCoreError) as error:
        raise ModelDataError(f"{url}: {error}") from error


def fetch(client: Callable[[], Any], url: str, target: Path, *, archive: bool) -> None:
    """Download an archive to the file `target`, or all objects below a prefix into the folder `target`.

    `client` makes the S3 client of the model's role. A download that was cut short leaves nothing at
    `target`, and two at once do not meet: each has a name of its own until it is whole. Raises
    ModelDataError.
    """
    uri = S3Uri.parse(url)
    partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}{PARTIAL}")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        s3 = client()
        if archive:
            s3.download_file(uri.bucket, uri.key, str(partial))
        else:
            partial.mkdir()
            _fetch_prefix(s3, uri, partial)
        _take_place(partial, target)
    except (AwsError, ClientError, BotoCoreError, OSError) as error:
        raise ModelDataError(f"{url}: {error}") from error
    finally:
        discard(partial)


def _take_place(partial: Path, target: Path) -> None:
    """Give a whole download its name; where another one has brought the same meanwhile, that one stays."""
    try:
        partial.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def discard(leftover: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if leftover.is_dir():
        shutil.rmtree(leftover, ignore_errors=True)
    else:
        leftover.unlink(missing_ok=True)


def _fetch_prefix(s3: Any, uri: S3Uri, folder: Path) -> None:
    for found in list_objects(s3, uri):
        name = found["Key"][len(uri.key) :].lstrip("/")
        if not name:
            continue
        path = (folder / name).resolve()
        if not path.is_relative_to(folder.resolve()):
            raise ModelDataError(f"the object {found['Key']!r} would be written outside the model folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(uri.bucket, found["Key"], str(path))


def unpack(source: Path | None, folder: Path) -> None:
    """Fill the fresh folder `folder` from a fetched archive or folder (None: a model without artifact).

    Raises ModelDataError for what is no tar and for a member that is neither a file nor a folder inside.
    """
    shutil.rmtree(folder, ignore_errors=True)
    if source is not None and source.is_dir():
        shutil.copytree(source, folder)
        return
    if source is None:
        folder.mkdir(parents=True)
        return
    try:
        unpack_tar(source, folder)
    except UnsafeArchiveError as error:
        raise ModelDataError(f"the model archive cannot be unpacked: {error}") from error
