"""Whether a body is the one that was signed.

A request says how its body is covered in `x-amz-content-sha256`: by the hash of it, chunk by chunk, or, for
S3 only, not at all. What says nothing is covered by its hash.
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
"""

from __future__ import annotations

import hashlib
import hmac
import re

from local_aws.front.refusal import Refused, mismatch
from local_aws.front.request import Request
from local_aws.front.signatures import UNSIGNED, Key, Signature, sign

_HASH = re.compile("[0-9a-fA-F]{64}")
_UNSIGNED_CHUNKS = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_CHUNKS = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
_CHUNKS_AND_TRAILER = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
_SIGNED_CHUNKS = (_CHUNKS, _CHUNKS_AND_TRAILER)
_NOTHING = hashlib.sha256(b"").hexdigest()


def declared(signature: Signature, request: Request) -> str | None:
    """What the request says its payload's hash is; None if it says nothing.

    Raises Refused for a way to cover a body that is not known, or not S3's to use.
    """
    if signature.lifetime is not None:
        return UNSIGNED if signature.service == "s3" else None
    cover = request.headers.get("x-amz-content-sha256")
    if cover is None or _HASH.fullmatch(cover):
        return cover
    if signature.service == "s3" and cover in (UNSIGNED, _UNSIGNED_CHUNKS, *_SIGNED_CHUNKS):
        return cover
    raise Refused("InvalidArgument", f"x-amz-content-sha256 cannot be {cover!r} here", 400)


def check(signature: Signature, key: Key, request: Request, cover: str, body: bytes, digest: str) -> None:
    """Refused unless the body, whose SHA-256 is `digest`, is what `cover` names."""
    if _HASH.fullmatch(cover):
        if not hmac.compare_digest(cover.lower(), digest):
            raise Refused(
                "XAmzContentSHA256Mismatch",
                "The provided 'x-amz-content-sha256' header does not match what was computed.",
                400,
            )
    elif cover in _SIGNED_CHUNKS:
        trailer = request.headers.get("x-amz-trailer") if cover == _CHUNKS_AND_TRAILER else None
        _check_chunks(signature, key, body, trailer)


def _check_chunks(signature: Signature, key: Key, body: bytes, trailer: str | None) -> None:
    """Each chunk's signature covers the one before: none can be changed, moved or left out."""
    head = f"{signature.time}\n{signature.scope}"
    previous, position = signature.value, 0
    while True:
        end = body.find(b"\r\n", position)
        found = re.fullmatch(rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-f]{64})", body[position:end])
        if end < 0 or found is None:
            raise mismatch()
        size, start = int(found[1], 16), end + 2
        digest = hashlib.sha256(memoryview(body)[start : start + size]).hexdigest()
        text = f"AWS4-HMAC-SHA256-PAYLOAD\n{head}\n{previous}\n{_NOTHING}\n{digest}"
        previous = sign(signature, key, text)
        if not hmac.compare_digest(previous.encode(), found[2]):
            raise mismatch()
        position = start + size
        if size == 0:
            break
        if body[position : position + 2] != b"\r\n":
            raise mismatch()
        position += 2
    rest = body[position:]
    if trailer is None:
        if rest not in (b"", b"\r\n"):
            raise mismatch()
        return
    _check_trailer(signature, key, rest, f"AWS4-HMAC-SHA256-TRAILER\n{head}\n{previous}")


def _check_trailer(signature: Signature, key: Key, rest: bytes, head: str) -> None:
    lines = [line for line in rest.decode("latin-1").split("\r\n") if line]
    name, _, given = (lines.pop() if lines else "").partition(":")
    text = "".join(f"{line}\n" for line in lines)
    expected = sign(signature, key, f"{head}\n{hashlib.sha256(text.encode()).hexdigest()}")
    if name != "x-amz-trailer-signature" or not hmac.compare_digest(expected, given.strip()):
        raise mismatch()
