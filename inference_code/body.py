"""The body of a request, read once and never beyond what is allowed."""

from __future__ import annotations

import asyncio
import contextlib

import inference
from starlette.requests import ClientDisconnect, Request

# A refused body is read to its end so that the client sees the answer instead of a reset connection:
# SageMaker lets at most 25 MB through, and nobody is waited for longer than this.
MOST_DISCARDED_BYTES = 32 * 1024 * 1024
DISCARD_SECONDS = 5.0


class Body:
    """The bytes of a request as they arrive.

    Attributes:
        size: bytes that have arrived.
        complete: whether all of it has arrived.
    """

    def __init__(self, request: Request) -> None:
        self._stream = request.stream()
        self._announced = int(request.headers.get("Content-Length", 0))
        self.size = 0
        self.complete = False

    async def read(self, most: int) -> bytes:
        """The whole body.

        Raises:
            Refusal: PayloadTooLarge, as soon as it is announced or seen to be longer than `most` bytes.
        """
        if self._announced > most:
            raise inference.too_large(self._announced)
        chunks: list[bytes] = []
        async for chunk in self._stream:
            self.size += len(chunk)
            if self.size > most:
                raise inference.too_large(None)
            chunks.append(chunk)
        self.complete = True
        return b"".join(chunks)

    async def discard_rest(self) -> None:
        """Let the rest arrive and forget it: a client that is still sending reads no answer."""
        with contextlib.suppress(TimeoutError, ClientDisconnect):
            async with asyncio.timeout(DISCARD_SECONDS):
                async for chunk in self._stream:
                    self.size += len(chunk)
                    if self.size > MOST_DISCARDED_BYTES:
                        return
