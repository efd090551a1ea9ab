"""The body of a request, read once and never beyond what is allowed."""

from __future__ import annotations

import asyncio
import contextlib

from starlette.requests import ClientDisconnect, Request

from inference_code import limits

# A refused body is read to its end so that the client sees the answer instead of a reset connection:
# SageMaker lets at most 25 MB through, and nobody is waited for longer than this.
MOST_DISCARDED_BYTES = 32 * 1024 * 1024
DISCARD_SECONDS = 5.0


# All bodies on their way may hold so much. When it is full, the one that has been coming longest is given up:
# senders that stall are no hindrance to those that do not.
MOST_ARRIVING_BYTES = 256 * 1024 * 1024


class Arrivals:
    """The bodies that are on their way, oldest first, and how many bytes of them are kept."""

    def __init__(self) -> None:
        self._deadlines: dict[Body, asyncio.Timeout] = {}
        self._kept = 0

    def begin(self, body: Body, deadline: asyncio.Timeout) -> None:
        """Its body begins to arrive; when `deadline` is brought forward, it is given up."""
        self._deadlines[body] = deadline

    def grow(self, size: int) -> None:
        """So many bytes more are kept."""
        self._kept += size
        if self._kept > MOST_ARRIVING_BYTES and self._deadlines:
            oldest = next(iter(self._deadlines))
            deadline = self._deadlines.pop(oldest)
            self._kept -= oldest.kept
            oldest.kept = 0
            if not deadline.expired():
                deadline.reschedule(0)

    def end(self, body: Body) -> None:
        """It has arrived, or was given up."""
        self._deadlines.pop(body, None)
        self._kept -= body.kept


class Body:
    """The bytes of a request as they arrive.

    Attributes:
        size: bytes that have arrived.
        kept: of these, the bytes that wait for the rest.
        asked_for: whether its sender sends it without waiting for `100 Continue`, or was told to go on.
    """

    def __init__(self, request: Request) -> None:
        self._stream = request.stream()
        self._announced = int(request.headers.get("Content-Length", 0))
        self.asked_for = request.headers.get("Expect", "").lower() != "100-continue"
        self.size = 0
        self.kept = 0
        self.complete = False

    async def read(self, arrivals: Arrivals, deadline: asyncio.Timeout) -> bytes:
        """The whole body.

        Raises:
            ApiError: PayloadTooLarge, as soon as it is announced or grows larger than is taken.
        """
        limits.check_size(self._announced)
        self.asked_for = True
        chunks: list[bytes] = []
        arrivals.begin(self, deadline)
        try:
            async for chunk in self._stream:
                self.size += len(chunk)
                limits.check_size(self.size, whole=False)
                chunks.append(chunk)
                self.kept += len(chunk)
                arrivals.grow(len(chunk))
        finally:
            arrivals.end(self)
        self.complete = True
        return b"".join(chunks)

    async def discard_rest(self) -> None:
        """Let the rest arrive and forget it: a client that is still sending reads no answer.

        One that asked first, by `Expect: 100-continue`, reads the answer instead of sending.
        """
        if not self.asked_for:
            return
        with contextlib.suppress(TimeoutError, ClientDisconnect):
            async with asyncio.timeout(DISCARD_SECONDS):
                async for chunk in self._stream:
                    self.size += len(chunk)
                    if self.size > MOST_DISCARDED_BYTES:
                        return
