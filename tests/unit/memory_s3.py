"""S3 in memory, as far as data sets use it: safe in threads, and it can be killed before any request."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

PAGE = 1000


class Killed(BaseException):
    """The process is gone; no handler of errors may catch it."""


class MemoryS3:
    """A client with the methods of boto3's."""

    exceptions = SimpleNamespace(ClientError=ClientError)
    meta = SimpleNamespace(events=SimpleNamespace(register=lambda event, handler: None))

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.calls: list[tuple[str, str]] = []
        self.kill_before_write: int | None = None
        """The number of writes and deletions that still succeed."""
        self._lock = threading.Lock()

    def called(self, operation: str) -> list[str]:
        return [key for name, key in self.calls if name == operation]

    def keys(self, prefix: str) -> list[str]:
        return sorted(key for key in self.objects if key.startswith(prefix))

    def get_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self._note("get", Key)
        if Key not in self.objects:
            raise _error("NoSuchKey", "GetObject", 404)
        return {"Body": _Body(self.objects[Key])}

    def head_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        self._note("head", Key)
        if Key not in self.objects:
            raise _error("404", "HeadObject", 404)
        return {"ContentLength": len(self.objects[Key]), "ETag": _etag(self.objects[Key])}

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **more: str) -> dict[str, Any]:
        with self._lock:
            self._write("put", Key)
            if more.get("IfNoneMatch") == "*" and Key in self.objects:
                raise _error("PreconditionFailed", "PutObject", 412)
            self.objects[Key] = bytes(Body)
        return {"ETag": _etag(self.objects[Key])}

    def copy_object(self, *, Bucket: str, Key: str, CopySource: dict[str, str], **_: str) -> dict[str, Any]:
        with self._lock:
            self._write("copy", Key)
            self.objects[Key] = self.objects[CopySource["Key"]]
        return {}

    def delete_object(self, *, Bucket: str, Key: str) -> dict[str, Any]:
        with self._lock:
            self._write("delete", Key)
            self.objects.pop(Key, None)
        return {}

    def delete_objects(self, *, Bucket: str, Delete: dict[str, Any]) -> dict[str, Any]:
        assert len(Delete["Objects"]) <= PAGE
        for each in Delete["Objects"]:
            self.delete_object(Bucket=Bucket, Key=each["Key"])
        return {}

    def get_paginator(self, operation: str) -> Any:
        assert operation == "list_objects_v2"
        return SimpleNamespace(paginate=self._pages)

    def list_objects_v2(self, *, Bucket: str, Prefix: str = "", MaxKeys: int = PAGE) -> dict[str, Any]:
        self._note("list", Prefix)
        return {"Contents": [self._entry(key) for key in self.keys(Prefix)[:MaxKeys]]}

    def _pages(self, *, Bucket: str, Prefix: str = "", Delimiter: str = "") -> Iterator[dict[str, Any]]:
        keys, folders = [], set()
        for key in self.keys(Prefix):
            rest = key.removeprefix(Prefix)
            if Delimiter and Delimiter in rest:
                folders.add(Prefix + rest.split(Delimiter)[0] + Delimiter)
            else:
                keys.append(key)
        for start in range(0, max(1, len(keys)), PAGE):
            self._note("list", Prefix)
            page: dict[str, Any] = {"Contents": [self._entry(key) for key in keys[start : start + PAGE]]}
            if not start and folders:
                page["CommonPrefixes"] = [{"Prefix": each} for each in sorted(folders)]
            yield page

    def _entry(self, key: str) -> dict[str, Any]:
        return {"Key": key, "Size": len(self.objects[key]), "ETag": _etag(self.objects[key])}

    def _note(self, operation: str, key: str) -> None:
        self.calls.append((operation, key))

    def _write(self, operation: str, key: str) -> None:
        if self.kill_before_write is not None:
            if self.kill_before_write <= 0:
                raise Killed
            self.kill_before_write -= 1
        self._note(operation, key)


class _Body(io.BytesIO):
    """What boto3 gives: read it, and close it by `with`."""


def _etag(content: bytes) -> str:
    return f'"{hashlib.md5(content, usedforsecurity=False).hexdigest()}"'


def _error(code: str, operation: str, status: int) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        operation,
    )
