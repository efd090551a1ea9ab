"""Reading S3: an object or None, a list to its end, the names of folders.

Each takes a client of boto3's, so that this room imports nothing for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from contract.aws_errors import code_of

_MISSING: Final = ("NoSuchKey", "404")


def read(s3: Any, bucket: str, key: str, limit: int | None = None) -> bytes | None:
    """An object's first `limit` + 1 bytes, or all of it; None when there is no such object."""
    try:
        answer = s3.get_object(Bucket=bucket, Key=key)
    except s3.exceptions.ClientError as error:
        if code_of(error) in _MISSING:
            return None
        raise
    with answer["Body"] as body:
        content: bytes = body.read(None if limit is None else limit + 1)
    return content


def below(s3: Any, bucket: str, prefix: str, delimiter: str = "") -> Iterator[dict[str, Any]]:
    """The objects under a prefix, as ListObjectsV2 has them; with a delimiter those directly under it."""
    directly = {"Delimiter": delimiter} if delimiter else {}
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, **directly):
        yield from page.get("Contents", [])


def folders(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    """The names of the folders directly under a prefix."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
    for page in pages:
        for each in page.get("CommonPrefixes", []):
            yield each["Prefix"][len(prefix) : -1]
