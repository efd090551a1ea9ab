"""A function behind API Gateway: its request, its answer, and each failure as JSON with a code and a message.

Source: https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from contract.api import error_of
from contract.environment import AnsweringEnvironment
from functions.common import logs

Event = Mapping[str, Any]
Answer = dict[str, Any]
E = TypeVar("E", bound=AnsweringEnvironment)

_MOST_SHOWN = 200


class ApiError(Exception):
    """A request that gets no answer but this.

    Args:
        status: HTTP status.
        code: stable name of the reason, in PascalCase.
        message: what is wrong and what to do.
        retry_after: seconds after which asking again makes sense, if it ever does.
    """

    def __init__(self, status: int, code: str, message: str, retry_after: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.retry_after = retry_after


def served(
    function: str,
    environment: type[E],
    respond: Callable[[Event, str, E], Answer],
    event: Any,
    context: Any,
) -> Answer:
    """What `respond` answers to an event, its request id and the environment, or the error's answer; logged.

    Its exceptions but ApiError are faults of ours: 500 without a detail.
    """
    logs.start(function, context)
    event = event if isinstance(event, dict) else {}  # API Gateway sends an object; a direct call may not
    request = request_id(event, logs.request_id(context))
    logs.bind(apiRequestId=request, route=route(event))
    began = time.monotonic()
    origin = ""
    try:
        env = environment.read()
        origin = env.allowed_origin
        answer = respond(event, request, env)
    except ApiError as error:
        logs.info("refused", code=error.code, reason=error.message)
        answer = refused(error, request)
    except Exception:
        logs.exception(f"{function} failed")
        text = "Something is wrong on our side. Try again; if it stays, tell us the request id."
        answer = refused(ApiError(500, "InternalError", text), request)
    if origin:
        answer["headers"]["Access-Control-Allow-Origin"] = origin
    logs.info("answered", status=answer["statusCode"], seconds=round(time.monotonic() - began, 4))
    return answer


def route(event: Event) -> str:
    """`POST /classify` and the like: the method and the path without stage and slash at the end."""
    path = str(event.get("resource") or event.get("path") or "/")[:_MOST_SHOWN]
    return f"{str(event.get('httpMethod', ''))[:_MOST_SHOWN]} {path.rstrip('/') or '/'}"


def request_id(event: Event, otherwise: str) -> str:
    """The id that API Gateway gave the request, which also stands in its own log and header."""
    return str(member(event, "requestContext").get("requestId") or otherwise)


def member(event: Event, key: str) -> Event:
    """An object of the event; empty when it is missing or, in a direct call, something else."""
    value = event.get(key)
    return value if isinstance(value, Mapping) else {}


def header(event: Event, name: str) -> str:
    """A header by its name in lower case; empty when it is missing."""
    headers = member(event, "headers")
    return next((str(value) for key, value in headers.items() if key.lower() == name), "")


def body(event: Event, max_bytes: int, too_large: Callable[[int], ApiError]) -> bytes:
    """The request's body.

    Raises:
        ApiError: 400 InvalidBody, or what `too_large` says of its size.
    """
    text = str(event.get("body") or "")
    encoded = bool(event.get("isBase64Encoded"))
    # Judged by its length before it is decoded: four characters carry three bytes.
    size = len(text) * 3 // 4 if encoded else len(text)
    if size > max_bytes + 2:
        raise too_large(size)
    if not encoded:
        return text.encode(errors="replace")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ApiError(400, "InvalidBody", f"The body could not be read: {error}. Send it again.") from None
    if len(content) > max_bytes:
        raise too_large(len(content))
    return content


def ok(text: str, content_type: str = "application/json", **headers: str) -> Answer:
    """200 with this body."""
    return _answer(200, text, content_type, headers)


def refused(error: ApiError, request: str) -> Answer:
    """The error's answer, in the one form that all errors of the API have."""
    said = {**error_of(error.code, error.message), "request_id": request}
    headers = {"Retry-After": str(error.retry_after)} if error.retry_after is not None else {}
    return _answer(error.status, json.dumps(said, ensure_ascii=False), "application/json", headers)


def _answer(status: int, text: str, content_type: str, headers: Mapping[str, str]) -> Answer:
    text = text.encode(errors="replace").decode()  # half a surrogate pair cannot be sent
    return {
        "statusCode": status,
        "headers": {
            "Content-Type": content_type,
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **headers,
        },
        "body": text,
        "isBase64Encoded": False,
    }
