"""A request's body on its way in: read once, hashed as its parts come, and given on again."""

from __future__ import annotations

import asyncio
import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# A large body is hashed beside the event loop while more of it comes: 5 MB would hold it up for 8 ms.
_HASHED_BESIDE_BYTES = 1 << 20
_hashing = ThreadPoolExecutor(2, thread_name_prefix="body hash")
# So much of a body nobody wants is still taken in, so that its sender comes to read the answer.
_DRAINED_BYTES = 8 << 20


class GoneError(Exception):
    """The client has hung up."""


class Incoming:
    """The body behind an ASGI `receive`, which `receive` here stands in for."""

    def __init__(self, receive: Any) -> None:
        self._receive = receive
        self._ended = False
        self._body: bytes | None = None

    async def read(self) -> tuple[bytes, str]:
        """The whole body and its SHA-256. Raises GoneError."""
        loop, hashed = asyncio.get_running_loop(), hashlib.sha256()
        parts: list[bytes] = []
        fresh: list[bytes] = []
        size, beside = 0, None
        while not self._ended:
            part = await self._next()
            fresh.append(part)
            size += len(part)
            if size >= _HASHED_BESIDE_BYTES and (beside is None or beside.done()):
                parts.append(b"".join(fresh))
                beside = loop.run_in_executor(_hashing, hashed.update, parts[-1])
                fresh, size = [], 0
        if beside is not None:
            await beside
        parts.append(b"".join(fresh))
        hashed.update(parts[-1])
        self._body = b"".join(parts)
        return self._body, hashed.hexdigest()

    async def receive(self) -> Any:
        """The body as one message if it was read already, then whatever comes after."""
        if self._body is None:
            return await self._receive()
        body, self._body = self._body, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def drain(self) -> None:
        """Take in what is still on its way, within bounds, and forget it."""
        size = 0
        while not self._ended and size < _DRAINED_BYTES:
            size += len(await self._next())

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] != "http.request":
            self._ended = True
            raise GoneError
        self._ended = not message.get("more_body", False)
        return bytes(message.get("body", b""))
