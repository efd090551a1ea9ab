"""S3's objects: what was acknowledged is on the disk, and what could not be written is an error.

ministack keeps an object's bytes in one file and all else about its key in a sidecar, logs what it cannot
write, answers 200, and keeps such an object in memory. Here a failed write is `NotStored`: the key is read
back from the disk, and the client gets a 500. Versioned objects are not in memory: datasets are larger.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from ministack.services import s3

from local_aws.core.api import HttpAnswer
from local_aws.ministack_adapter import object_files
from local_aws.ministack_adapter.requests import Request, check_first

log = logging.getLogger(__name__)

Record = dict[str, Any]
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
MAX_KEY = 1024
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
MAX_METADATA = 2048
_METADATA = "x-amz-meta-"


class NotStored(OSError):
    """A write to an object's files failed."""

    def __init__(self, bucket: str, key: str, error: OSError) -> None:
        super().__init__(error.errno, error.strerror or str(error))
        self.bucket = bucket
        self.key = key


def install() -> None:
    """Put our writing in the place of ministack's."""
    s3._persist_object = _persist_object
    s3._persist_delete_marker = _persist_delete_marker
    s3._persist_displaced_version = _persist_displaced_version
    s3._delete_version_file = _delete_version_file
    s3._delete_persisted_object = _delete_persisted_object
    s3._read_body = _read_body
    s3._dispatch = partial(_dispatch_or_fail, s3._dispatch)
    # What ministack forgets when it stops, although it was asked to keep it for years.
    s3._PERSISTED_BUCKET_DICTS["object_retention"] = s3._object_retention
    s3._PERSISTED_BUCKET_DICTS["object_legal_hold"] = s3._object_legal_hold
    check_first(["s3"], refusal)


def _persist_object(bucket: str, key: str, record: Record) -> None:
    """Write an object's bytes, unless they are on the disk already, and its sidecar."""
    sidecar = {**s3._object_meta_from_record(record), **s3._key_history_meta(bucket, key), "key": key}
    with _stored(bucket, key):
        path = _place(s3._object_disk_path(bucket, key))
        object_files.write(path, record.get("body"), sidecar)
        s3._remove_key_files(s3._other_key_disk_path(_folder(bucket), key, str(path)))
    record["body"] = None
    current = record.get("version_id") or "null"
    for version in s3._object_versions.get((bucket, key), []):
        if version["version_id"] == current:
            version["data"] = None  # `_version_body` reads the object's file, or the version's


def _persist_delete_marker(bucket: str, key: str, marker: Record) -> None:
    sidecar = {
        "is_delete_marker": True,
        "version_id": marker.get("version_id"),
        "last_modified": marker.get("last_modified", ""),
        **s3._key_history_meta(bucket, key),
        "key": key,
    }
    with _stored(bucket, key):
        object_files.write(_place(s3._object_disk_path(bucket, key)), None, sidecar)


def _persist_displaced_version(bucket: str, key: str, displaced: Record | None, versioning: str) -> None:
    """Keep the bytes of the version that a new one is about to displace."""
    if versioning == "Suspended":
        _delete_version_file(bucket, key, "null")
    version = (displaced or {}).get("version_id") or "null"
    if displaced is None or (versioning == "Suspended" and version == "null"):
        return
    try:
        body = s3._read_body(bucket, key, displaced)
    except FileNotFoundError:
        log.warning("the bytes of s3://%s/%s are gone: somebody else deleted its file", bucket, key)
        return
    with _stored(bucket, key):
        object_files.write_alone(_place(s3._version_disk_path(bucket, key, version)), body)


def _delete_version_file(bucket: str, key: str, version: str) -> None:
    with _stored(bucket, key):
        path = s3._version_disk_path(bucket, key, version)
        if path is not None:
            Path(path).unlink(missing_ok=True)


def _delete_persisted_object(bucket: str, key: str) -> None:
    with _stored(bucket, key):
        path = s3._object_disk_path(bucket, key)
        s3._remove_key_files(path)
        s3._remove_key_files(s3._other_key_disk_path(_folder(bucket), key, path))


def _read_body(bucket: str, key: str, record: Record) -> bytes:
    """An object's bytes. A file that cannot be read is an error, not an object without bytes."""
    body: bytes | None = record.get("body")
    return Path(s3._object_disk_path(bucket, key)).read_bytes() if body is None else body


def _place(path: str | None) -> Path:
    """The path, in a folder that is there."""
    if path is None:
        raise OSError("the key has no place below the state folder")
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


def _folder(bucket: str) -> str:
    return str(Path(s3.DATA_DIR) / s3.get_account_id() / bucket)


@contextlib.contextmanager
def _stored(bucket: str, key: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise NotStored(bucket, key, error) from error


def _dispatch_or_fail(dispatch: Callable[..., Any], method: str, bucket: str, key: str, *rest: Any) -> Any:
    """S3's operations, with a 500 for what could not be stored or read."""
    try:
        return dispatch(method, bucket, key, *rest)
    except OSError as error:
        if isinstance(error, NotStored):
            _read_back(error.bucket, error.key)
        what = f"{method} of s3://{bucket}/{key}"
        log.error("%s failed: %s", what, error)
        return s3._error("InternalError", f"{what} failed: {error.strerror or error}", 500)


def _read_back(bucket: str, key: str) -> None:
    """Let memory know of a key what the disk knows, as after a restart."""
    s3._buckets[bucket]["objects"].pop(key, None)
    s3._object_versions.pop((bucket, key), None)
    for store in (s3._object_tags, s3._object_acl, s3._object_annotations):
        for found in [each for each in store if each[:2] == (bucket, key)]:
            del store[found]
    path = Path(s3._object_disk_path(bucket, key))
    files, every = {False: path, True: object_files.sidecar_of(path)}, s3._persisted_key_files
    s3._persisted_key_files = lambda _folder, sidecars: (
        [(str(files[sidecars]), key)] if files[sidecars].exists() else []
    )
    try:
        s3._load_persisted_bucket(s3.get_account_id(), bucket, _folder(bucket))
    finally:
        s3._persisted_key_files = every


def refusal(request: Request) -> HttpAnswer | None:
    """The answer to a request for an object that S3 would not take; None: it would."""
    key = request.path.lstrip("/").partition("/")[2]
    if len(key.encode("utf-8", "surrogatepass")) > MAX_KEY:
        return request.refused("KeyTooLongError", "Your key is too long")
    size = sum(
        len(name) - len(_METADATA) + len(value.encode())
        for name, value in request.headers.items()
        if name.startswith(_METADATA)
    )
    if size > MAX_METADATA:
        message = "Your metadata headers exceed the maximum allowed metadata size"
        return request.refused("MetadataTooLarge", message)
    return None
