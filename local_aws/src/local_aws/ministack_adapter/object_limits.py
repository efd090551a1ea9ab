"""How long S3's keys and how large their metadata may be.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

from __future__ import annotations

from typing import Any

import ministack.app as ministack_app

from local_aws.core.api import HttpAnswer
from local_aws.ministack_adapter import answers

MAX_KEY = 1024
MAX_METADATA = 2048
_METADATA = "x-amz-meta-"


def install() -> None:
    """Put the check before S3."""
    handle = ministack_app.SERVICE_HANDLERS["s3"]

    async def handle_checked(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Any:
        return refusal(path, headers) or await handle(method, path, headers, body, query)

    ministack_app.SERVICE_HANDLERS["s3"] = handle_checked


def refusal(path: str, headers: dict[str, str]) -> HttpAnswer | None:
    """The answer to a request for an object that S3 would not take; None: it would."""
    key = path.lstrip("/").partition("/")[2]
    if len(key.encode("utf-8", "surrogatepass")) > MAX_KEY:
        return answers.refused("s3", "KeyTooLongError", "Your key is too long", headers)
    size = sum(
        len(name) - len(_METADATA) + len(value.encode())
        for name, value in headers.items()
        if name.startswith(_METADATA)
    )
    if size > MAX_METADATA:
        message = "Your metadata headers exceed the maximum allowed metadata size"
        return answers.refused("s3", "MetadataTooLarge", message, headers)
    return None
