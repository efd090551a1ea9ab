"""How long S3's keys and how large their metadata may be.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
"""

from __future__ import annotations

from local_aws.core.api import HttpAnswer
from local_aws.ministack_adapter.requests import Request, check_first

MAX_KEY = 1024
MAX_METADATA = 2048
_METADATA = "x-amz-meta-"


def install() -> None:
    """Put the check before S3."""
    check_first(["s3"], refusal)


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
