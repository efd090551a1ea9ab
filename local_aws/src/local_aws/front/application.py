"""The door itself: an ASGI application around the services.

A request is asked, in this order: does it name us, may this place be reached at all, does the page it comes
from (if any) have business there, and who signed it. What a browser may reach is the deployed API and no
more: everything else here needs a key, and no page has one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from typing import Any
from urllib.parse import urlencode

from local_aws.front import bodies, origins, signatures
from local_aws.front.incoming import GoneError, Incoming
from local_aws.front.origins import Visitor
from local_aws.front.refusal import Refused
from local_aws.front.request import Request
from local_aws.front.signatures import Key, Signature

Asgi = Callable[[Any, Any, Any], Awaitable[None]]
Answer = tuple[int, dict[str, str], bytes]

_CORS = b"access-control-"


class Place(Enum):
    """What a path leads to."""

    API = auto()
    """A stage of a deployed API, which checks its callers itself."""
    OPEN = auto()
    """What programs of this machine may ask without a key."""
    SERVICE = auto()
    """An operation of a service: it needs a signature."""
    CLOSED = auto()
    """What the server underneath has, and nobody here uses."""


@dataclass(frozen=True)
class Behind:
    """What lies behind the door, and what it alone knows."""

    application: Asgi
    place: Callable[[str, str], Place]
    """Of a method and a path."""
    key: Callable[[str], Key]
    """Of an access key id; raises Refused if there is none, or it is no longer good."""
    answer: Callable[[Refused, Request, str | None], Answer]
    """A refusal as the service (None: found by the request) would put it."""


def guard(behind: Behind, port: int) -> Asgi:
    """The application, reachable by who may."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await behind.application(scope, receive, send)
        elif scope["type"] == "websocket":  # nothing here speaks it
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            try:
                await _http(behind, port, scope, Incoming(receive), send)
            except GoneError:
                return

    return app


async def _http(behind: Behind, port: int, scope: Any, incoming: Incoming, send: Any) -> None:
    request = Request.of(scope)
    try:
        place = await _admit(behind, port, scope, request)
    except Refused as refused:
        await incoming.drain()
        await _send(send, _plain(refused))
        return
    if place is Place.API:
        await behind.application(await _to_api(behind, scope, request, incoming), incoming.receive, send)
        return
    send = _without_cors(send)
    if place is Place.SERVICE and not await _is_verified(behind, request, incoming, send):
        return
    await behind.application(scope, incoming.receive, send)


async def _admit(behind: Behind, port: int, scope: Any, request: Request) -> Place:
    """The place the request may go to. Raises Refused."""
    if not origins.is_ours(request, port):
        raise Refused(
            "ForbiddenHost", f"The local AWS answers to 127.0.0.1:{port} and localhost:{port} only."
        )
    place = behind.place(request.method, request.path)
    if place is Place.CLOSED:
        raise Refused("ForbiddenPath", f"The local AWS does not serve {request.path}.")
    visitor = origins.visitor(request)
    if visitor is Visitor.PROGRAM:
        return place
    if place is not Place.API:
        raise Refused("ForbiddenOrigin", "From a browser only a deployed API can be reached.")
    if visitor is Visitor.FOREIGN_PAGE and not await _invited(behind, scope, request):
        raise Refused("ForbiddenOrigin", "The API's CORS configuration does not name this page's origin.")
    return place


async def _invited(behind: Behind, scope: Any, request: Request) -> bool:
    """Whether the API itself lets that page's scripts call it: its own OPTIONS method says so."""
    if not origins.may_ask(request):
        return False
    if request.method == "OPTIONS":
        return True  # the question itself; the browser obeys the answer
    lines: list[tuple[bytes, bytes]] = []

    async def nothing() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def hear(message: dict[str, Any]) -> None:
        lines.extend(message.get("headers", []))

    asked = [line for line in scope["headers"] if line[0].lower() in (b"host", b"origin")]
    asked.append((b"access-control-request-method", request.method.encode()))
    await behind.application({**scope, "method": "OPTIONS", "headers": asked}, nothing, hear)
    allowed = [value.decode("latin-1") for name, value in lines if name.lower() == _CORS + b"allow-origin"]
    return allowed in (["*"], [request.headers["origin"]])


async def _to_api(behind: Behind, scope: Any, request: Request, incoming: Incoming) -> Any:
    """The scope for an API, which says by itself what it asks of its callers.

    To it a signature that does not hold is none: its own answer to the unsigned is what its callers know.
    """
    if not signatures.is_signed(request):
        return scope
    try:
        await _verify(behind, signatures.read(request), request, incoming)
    except Refused:
        headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"authorization"]
        query = urlencode([pair for pair in request.query if not signatures.is_mark(pair[0])])
        return {**scope, "headers": headers, "query_string": query.encode()}
    return scope


async def _is_verified(behind: Behind, request: Request, incoming: Incoming, send: Any) -> bool:
    """Whether the request is signed as it has to be; if not, the answer is sent."""
    service = None
    try:
        signature = signatures.read(request)
        service = signature.service
        await _verify(behind, signature, request, incoming)
    except Refused as refused:
        await incoming.drain()
        await _send(send, behind.answer(refused, request, service))
        return False
    return True


async def _verify(behind: Behind, signature: Signature, request: Request, incoming: Incoming) -> None:
    """Refused unless its key has signed the request as it is, body included.

    Where the head says what the body's hash is, no body is taken in whose head is not signed well.
    """
    signatures.check_time(signature, datetime.now(UTC))
    key = behind.key(signature.key_id)
    cover = bodies.declared(signature, request)
    if cover is not None:
        signatures.check(signature, request, key, cover)
    body, digest = await incoming.read()
    if cover is None:
        signatures.check(signature, request, key, digest)
    else:
        bodies.check(signature, key, request, cover, body, digest)


def _without_cors(send: Any) -> Any:
    """`send` that gives no page leave to read an answer."""

    async def send_without(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = [line for line in message["headers"] if not line[0].lower().startswith(_CORS)]
            message = {**message, "headers": headers}
        await send(message)

    return send_without


def _plain(refused: Refused) -> Answer:
    return refused.status, {"Content-Type": "text/plain; charset=utf-8"}, f"{refused}\n".encode()


async def _send(send: Any, answer: Answer) -> None:
    status, headers, body = answer
    lines = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    lines.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
