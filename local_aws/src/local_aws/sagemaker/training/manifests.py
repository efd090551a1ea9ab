"""Channels of the type ManifestFile: a list of objects, of which a job gets each.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_S3DataSource.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from local_aws.sagemaker.s3_files import PARALLEL, S3Uri

# So many keys are asked for one by one; more are looked for in lists of what lies beside them.
FEW = 32
# Listing pays while what is found is not so many times what is wanted: a list has a thousand keys.
_WORTH = 20


@dataclass(frozen=True)
class Source:
    """An object and the name it gets in the channel's folder."""

    bucket: str
    key: str
    name: str
    etag: str
    size: int
    modified: float
    """Seconds since the epoch."""


def source_of(bucket: str, entry: dict[str, Any], name: str) -> Source:
    """Of an entry of ListObjectsV2."""
    modified = entry["LastModified"].timestamp()
    return Source(bucket, entry["Key"], name, entry["ETag"], entry["Size"], modified)


def sources(s3: Any, uri: S3Uri) -> list[Source]:
    """The files of a manifest: ``[{"prefix": "s3://..."}, "relative key", ...]``.

    Raises:
        ValueError: it is no manifest.
        ClientError: it or an object that it names is not there, or may not be read.
    """
    prefix, names = _read(s3, uri)
    keys = [prefix.key + name for name in names]
    known = _listed(s3, prefix.bucket, keys) if len(keys) > FEW else {}

    def found(key: str) -> dict[str, Any]:
        if key in known:
            return known[key]
        head = s3.head_object(Bucket=prefix.bucket, Key=key)
        return {**head, "Key": key, "Size": head["ContentLength"]}

    with ThreadPoolExecutor(PARALLEL) as pool:
        entries = list(pool.map(found, keys))
    return [source_of(prefix.bucket, entry, name) for entry, name in zip(entries, names, strict=True)]


def _read(s3: Any, uri: S3Uri) -> tuple[S3Uri, list[str]]:
    try:
        manifest = json.loads(s3.get_object(Bucket=uri.bucket, Key=uri.key)["Body"].read())
    except RecursionError:
        raise ValueError(f"the manifest {uri} is nested too deeply") from None
    whole = isinstance(manifest, list) and manifest and all(isinstance(name, str) for name in manifest[1:])
    if not (whole and isinstance(manifest[0], dict) and isinstance(manifest[0].get("prefix"), str)):
        raise ValueError(
            f"the manifest {uri} must be a list that starts with {{'prefix': 's3://...'}}, and then names"
        )
    return S3Uri.parse(manifest[0]["prefix"]), manifest[1:]


def _listed(s3: Any, bucket: str, keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """What the keys' common prefix lists of them; not all, where too much else lies there."""
    wanted, seen = set(keys), 0
    found: dict[str, dict[str, Any]] = {}
    try:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=_common(keys))
        for page in pages:
            contents = page.get("Contents", [])
            found |= {entry["Key"]: entry for entry in contents if entry["Key"] in wanted}
            seen += len(contents)
            if len(found) == len(wanted) or seen > _WORTH * len(wanted):
                break
    except ClientError:
        return {}  # a role may read what a manifest names and list nothing
    return found


def _common(keys: Sequence[str]) -> str:
    """What all keys begin with: of texts in order, what the first and the last have in common."""
    first, last = min(keys), max(keys)
    length = next((at for at, each in enumerate(first) if last[at : at + 1] != each), len(first))
    return first[:length]
