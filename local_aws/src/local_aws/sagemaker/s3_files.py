"""Folders to S3 prefixes and back: what a job's checkpoints and artifacts travel by."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

# Requests in flight; the other end is a server on this same machine.
PARALLEL = 8
# A gzip file whose contents are stored: weights shrink by 7% at best, which takes a core seconds per model,
# and the archive never leaves this machine.
GZIP_LEVEL = 0


class UnsafeKeyError(ValueError):
    """An S3 key would be placed outside of the folder it is downloaded to."""


@dataclass(frozen=True)
class S3Uri:
    """A bucket and a key or key prefix."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> S3Uri:
        """Of ``s3://bucket/key``, or of ``https://`` in path style or with the bucket in the host name."""
        parts = urlsplit(uri)
        if parts.scheme == "s3":
            # A key may hold "?" and "#", which urlsplit would cut off.
            bucket, _, key = uri.removeprefix("s3://").partition("/")
            return cls(bucket, key)
        path = unquote(parts.path).lstrip("/")
        if parts.netloc.startswith(("s3.", "s3-")):
            bucket, _, key = path.partition("/")
            return cls(bucket, key)
        return cls(parts.netloc.partition(".s3")[0], path)

    def __truediv__(self, name: str) -> S3Uri:
        return S3Uri(self.bucket, f"{self.key.rstrip('/')}/{name}".lstrip("/"))

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass
class FolderSync:
    """Keeps an S3 prefix up to date with a folder, as SageMaker does for checkpoints."""

    folder: Path
    target: S3Uri
    _signatures: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def download(self, s3: Any) -> None:
        """Bring what the prefix holds into the folder (a job that goes on where another stopped)."""
        prefix = f"{self.target.key.rstrip('/')}/" if self.target.key else ""
        for entry in list_objects(s3, S3Uri(self.target.bucket, prefix)):
            path = inside(self.folder, entry["Key"].removeprefix(prefix))
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(self.target.bucket, entry["Key"], str(path))
            self._signatures[path] = _signature(path)

    def upload(self, client: Callable[[], Any]) -> int:
        """Upload files that are new or changed since they were last seen; how many."""
        changed = []
        for path in sorted(self.folder.rglob("*")):
            try:
                signature = _signature(path)
            except FileNotFoundError:
                continue  # a temporary file of the job, gone again
            if path.is_file() and self._signatures.get(path) != signature:
                changed.append((path, signature))
        if not changed:
            return 0
        s3 = client()
        for path, signature in changed:
            target = self.target / path.relative_to(self.folder).as_posix()
            try:
                s3.upload_file(str(path), target.bucket, target.key)
            except FileNotFoundError:
                continue
            self._signatures[path] = signature
        return len(changed)


def encryption(kms_key: str | None) -> dict[str, str]:
    """What encrypts an object by this key, if any, as PutObject takes it."""
    return {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}


def list_objects(s3: Any, uri: S3Uri) -> list[dict[str, Any]]:
    """All objects whose key starts with the URI's, as ListObjectsV2 tells them.

    Without the empty ones whose key ends with a slash, by which consoles make "folders".
    """
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=uri.bucket, Prefix=uri.key)
    found = [entry for page in pages for entry in page.get("Contents", [])]
    return [entry for entry in found if not entry["Key"].endswith("/")]


def inside(folder: Path, name: str) -> Path:
    """The place of a key's last part below a folder. Raises UnsafeKeyError for one that climbs out."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name or not path.parts:
        raise UnsafeKeyError(f"the S3 key ending in {name!r} cannot be a file below {folder.name}/")
    return folder / path


def upload_archive(s3: Any, folder: Path, target: S3Uri, extra: dict[str, str]) -> None:
    """Upload a folder's contents as one ``.tar.gz`` object."""
    archive = folder.with_name(f"{folder.name}.tar.gz")
    with tarfile.open(archive, "w:gz", compresslevel=GZIP_LEVEL) as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)
    s3.upload_file(str(archive), target.bucket, target.key, ExtraArgs=extra)
    archive.unlink()


def upload_folder(s3: Any, folder: Path, target: S3Uri, extra: dict[str, str]) -> None:
    """Upload a folder's files one by one below a prefix."""
    files = [path for path in folder.rglob("*") if path.is_file()]

    def upload(path: Path) -> None:
        to = target / path.relative_to(folder).as_posix()
        s3.upload_file(str(path), to.bucket, to.key, ExtraArgs=extra)

    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(upload, files))


def _signature(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_size, status.st_mtime_ns
