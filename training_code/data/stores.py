"""Where jobs share what they computed: a folder, or a prefix in S3. Everything in it can be computed again.

A store that cannot be reached costs one warning and what was saved, never the job. Something is put whole or
not at all, so whoever comes second finds it or does not; two who put the same put equal bytes.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class FolderStore:
    """A folder of this machine; a channel is one that is only read."""

    folder: Path

    def get(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            unfinished.write_bytes(content)
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


class S3Store:
    """A prefix of a bucket, with this job's own credentials."""

    def __init__(self, uri: str) -> None:
        """Raises ImportError where boto3 is not installed, ValueError when `uri` is no s3://bucket/prefix/."""
        match = re.fullmatch(r"s3://([^/]+)/(.+/)?", uri)
        if match is None:
            raise ValueError(f"{uri} is not of the form s3://bucket/prefix/")
        import boto3  # imported by nobody else, and half a second
        from botocore.config import Config

        self._bucket, self._prefix = match[1], match[2] or ""
        self._s3: Any = boto3.client(
            "s3",
            config=Config(connect_timeout=5, read_timeout=60, retries={"total_max_attempts": 3}),
        )

    def get(self, name: str) -> bytes | None:
        try:
            answer = self._s3.get_object(Bucket=self._bucket, Key=self._prefix + name)
        except self._s3.exceptions.NoSuchKey:
            return None
        except self._s3.exceptions.ClientError as error:
            # S3 says "forbidden" of what is not there to a role that may not list the bucket.
            if error.response["Error"]["Code"] in ("404", "403", "AccessDenied"):
                return None
            raise
        content: bytes = answer["Body"].read()
        return content

    def put(self, name: str, content: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=content)


class Stores:
    """The channel, if there is one, then what the job was told to use; a fault ends the use of either."""

    def __init__(self, channel: Path, place: str) -> None:
        self._readable: list[FolderStore | S3Store] = [FolderStore(channel)] if channel.is_dir() else []
        self._writable: FolderStore | S3Store | None = None
        self._warned = False
        try:
            if place:
                self._writable = S3Store(place) if place.startswith("s3://") else FolderStore(Path(place))
                self._readable.append(self._writable)
        except (ImportError, ValueError) as error:
            self._warn(error)

    def __bool__(self) -> bool:
        return bool(self._readable)

    @property
    def writable(self) -> bool:
        return self._writable is not None

    def get(self, name: str) -> bytes | None:
        """The bytes, from the first who has them."""
        for store in self._readable:
            try:
                found = store.get(name)
            except Exception as error:  # boto3 raises what it likes
                self._warn(error)
                self._readable = [each for each in self._readable if each is not store]
                continue
            if found is not None:
                return found
        return None

    def put(self, name: str, content: bytes) -> None:
        """Keep the bytes for others, if there is a place."""
        store = self._writable
        if store is None:
            return
        try:
            store.put(name, content)
        except Exception as error:
            self._warn(error)
            self._writable = None

    def _warn(self, error: Exception) -> None:
        if not self._warned:
            self._warned = True
            print(f"warning: frozen features are not shared with other jobs: {error}", flush=True)
