"""The picture in a request, and what its sender asks for beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from contract.api import RAW_BYTES, SWITCH
from functions.common import rest
from functions.common.rest import ApiError, Event

_IMAGE_TYPE = re.compile(r"image/[a-z0-9.+-]{1,40}")
# No type at all, or what curl calls any --data-binary: the bytes will tell whether it is a picture.
_UNTYPED = ("", *RAW_BYTES, "application/x-www-form-urlencoded")
# What API Gateway takes a request for that names none.
# https://docs.aws.amazon.com/apigateway/latest/developerguide/integration-passthrough-behaviors.html
_DEFAULT_TYPE = "application/json"
_BEGINS_JSON = re.compile(rb"\s*[\[{\"]")
_LOST = "\ufffd"
"""What stands in a text for bytes that were none."""
_TOP_K = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True)
class Picture:
    """What a client wants classified."""

    body: bytes
    content_type: str
    top_k: str
    """How many classes to name, as the client wrote it; empty when it did not."""
    explain: str
    """Whether to tell where the class was seen, likewise."""


def picture(event: Event, max_bytes: int) -> Picture:
    """The picture in a request.

    Raises:
        ApiError: 400 EmptyBody, InvalidBody, InvalidTopK or InvalidExplain, 413 PayloadTooLarge, 415
            UnsupportedMediaType.
    """
    asked = rest.member(event, "queryStringParameters")
    top_k, explain = (str(asked.get(name, "")) for name in ("top_k", "explain"))
    if top_k and not _TOP_K.fullmatch(top_k):
        raise ApiError(
            400, "InvalidTopK", f"top_k = {top_k[:20]!r} is not a whole number; leave it out to get 5."
        )
    if explain not in ("", *SWITCH):
        raise ApiError(
            400, "InvalidExplain", f"explain = {explain[:20]!r} is neither {' nor '.join(SWITCH)}."
        )
    kind = rest.header(event, "content-type").split(";")[0].strip().lower()
    body = rest.body(event, max_bytes, lambda size: _too_large(size, max_bytes))
    content_type = _content_type(kind, body)
    if not body:
        raise ApiError(400, "EmptyBody", "The request has no body. Send the bytes of one picture.")
    if not event.get("isBase64Encoded") and _LOST in str(event.get("body")):
        raise ApiError(
            415,
            "UnsupportedMediaType",
            "The picture came as text, in which bytes are lost. Send it with Content-Type: image/jpeg, or "
            "application/octet-stream.",
        )
    return Picture(body=body, content_type=content_type, top_k=top_k, explain=explain)


def _content_type(kind: str, body: bytes) -> str:
    """What is told to the container: the type that was sent, or that the bytes decide."""
    if _IMAGE_TYPE.fullmatch(kind):
        return kind
    if kind in _UNTYPED or (kind == _DEFAULT_TYPE and not _BEGINS_JSON.match(body)):
        return RAW_BYTES[-1]
    hint = " A form's upload is not taken apart here." if kind.startswith("multipart/") else ""
    raise ApiError(
        415,
        "UnsupportedMediaType",
        f"The content type {kind[:60]!r} is not taken.{hint} Send the picture's bytes as the body, with "
        "Content-Type: image/jpeg (curl --data-binary @picture.jpg).",
    )


def _too_large(size: int, max_bytes: int) -> ApiError:
    return ApiError(
        413,
        "PayloadTooLarge",
        f"The picture has {size / 1e6:.1f} MB; at most {max_bytes / 1e6:.1f} MB are taken. Send a "
        "smaller one: the model looks at a few hundred pixels a side.",
    )
