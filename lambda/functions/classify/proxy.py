"""API Gateway's proxy event and answer, as far as this API uses them.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.api import RAW_BYTES, SWITCH, error_of
from functions.classify.api_error import ApiError

Answer = dict[str, Any]

_IMAGE_TYPE = re.compile(r"image/[a-z0-9.+-]{1,40}")
# No type at all, or what curl calls any --data-binary: the bytes will tell whether it is a picture.
_UNTYPED = ("", *RAW_BYTES, "application/x-www-form-urlencoded")
_MOST_SHOWN = 200
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


def route(event: Mapping[str, Any]) -> str:
    """`POST /classify` and the like: the method and the path without stage and slash at the end."""
    path = str(event.get("resource") or event.get("path") or "/")[:_MOST_SHOWN]
    return f"{str(event.get('httpMethod', ''))[:_MOST_SHOWN]} {path.rstrip('/') or '/'}"


def request_id(event: Mapping[str, Any], otherwise: str) -> str:
    """The id that API Gateway gave the request, which also stands in its own log and header."""
    return str(_object(event, "requestContext").get("requestId") or otherwise)


def picture(event: Mapping[str, Any], max_bytes: int) -> Picture:
    """The picture in a request.

    Raises:
        ApiError: 400 EmptyBody, InvalidBody, InvalidTopK or InvalidExplain, 413 PayloadTooLarge, 415
            UnsupportedMediaType.
    """
    content_type = _content_type(event)
    asked = _object(event, "queryStringParameters")
    top_k, explain = (str(asked.get(name, "")) for name in ("top_k", "explain"))
    if top_k and not _TOP_K.fullmatch(top_k):
        raise ApiError(
            400, "InvalidTopK", f"top_k = {top_k[:20]!r} is not a whole number; leave it out to get 5."
        )
    if explain not in ("", *SWITCH):
        raise ApiError(
            400, "InvalidExplain", f"explain = {explain[:20]!r} is neither {' nor '.join(SWITCH)}."
        )
    body = _body(event, max_bytes)
    if not body:
        raise ApiError(400, "EmptyBody", "The request has no body. Send the bytes of one picture.")
    return Picture(body=body, content_type=content_type, top_k=top_k, explain=explain)


def ok(body: str, content_type: str = "application/json", **headers: str) -> Answer:
    """200 with this body."""
    return _answer(200, body, content_type, headers)


def refused(error: ApiError, request: str) -> Answer:
    """The error's answer, in the one form that all errors of the API have."""
    body = {**error_of(error.code, error.message), "request_id": request}
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
    return _answer(error.status, json.dumps(body, ensure_ascii=False), "application/json", headers)


def _answer(status: int, body: str, content_type: str, headers: Mapping[str, str]) -> Answer:
    body = body.encode(errors="replace").decode()  # half a surrogate pair cannot be sent
    return {
        "statusCode": status,
        "headers": {
            "Content-Type": content_type,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **headers,
        },
        "body": body,
        "isBase64Encoded": False,
    }


def _object(event: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object of the event; empty when it is missing or, in a direct call, something else."""
    value = event.get(key)
    return value if isinstance(value, Mapping) else {}


def _content_type(event: Mapping[str, Any]) -> str:
    headers = _object(event, "headers")
    given = next((str(value) for key, value in headers.items() if key.lower() == "content-type"), "")
    kind = given.split(";")[0].strip().lower()
    if _IMAGE_TYPE.fullmatch(kind):
        return kind
    if kind in _UNTYPED:
        return RAW_BYTES[-1]
    hint = " A form's upload is not taken apart here." if kind.startswith("multipart/") else ""
    raise ApiError(
        415,
        "UnsupportedMediaType",
        f"The content type {kind[:60]!r} is not taken.{hint} Send the picture's bytes as the body, with "
        "Content-Type: image/jpeg (curl --data-binary @picture.jpg).",
    )


def _body(event: Mapping[str, Any], max_bytes: int) -> bytes:
    text = str(event.get("body") or "")
    encoded = bool(event.get("isBase64Encoded"))
    # Judged by its length before it is decoded: four characters carry three bytes.
    size = len(text) * 3 // 4 if encoded else len(text)
    if size > max_bytes + 2:
        raise _too_large(size, max_bytes)
    if not encoded:
        return text.encode(errors="replace")
    try:
        body = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiError(400, "InvalidBody", f"The body could not be read: {error}. Send it again.") from None
    if len(body) > max_bytes:
        raise _too_large(len(body), max_bytes)
    return body


def _too_large(size: int, max_bytes: int) -> ApiError:
    return ApiError(
        413,
        "PayloadTooLarge",
        f"The picture has {size / 1e6:.1f} MB; at most {max_bytes / 1e6:.1f} MB are taken. Send a "
        "smaller one: the model looks at a few hundred pixels a side.",
    )
