"""A load generator that costs little: HTTP/1.1 over raw asyncio connections, pictures in, times out.

It runs on the machine of the server it measures, so both share the cores; what it takes (0.1 to 0.2 ms of
a core per request on uvloop, which runs it) lowers every system's figures alike.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Target:
    """Where a picture is sent and in what form: the raw bytes, or a file of a form."""

    port: int
    path: str
    form: bool = False

    def request(self, picture: bytes) -> bytes:
        """The bytes of one request."""
        body, kind = picture, "image/jpeg"
        if self.form:
            kind = "multipart/form-data; boundary=b0undary"
            head = b'--b0undary\r\nContent-Disposition: form-data; name="image"; filename="p.jpg"\r\n'
            body = head + b"Content-Type: image/jpeg\r\n\r\n" + picture + b"\r\n--b0undary--\r\n"
        lines = f"POST {self.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
        return f"{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class Measured:
    """What came of a load. Times are seconds from sending to the last byte of the answer."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    accepted: list[float] = field(default_factory=list)
    failures: Counter[str] = field(default_factory=Counter)

    @property
    def per_second(self) -> float:
        """Answers of status 200 per second."""
        return self.statuses[200] / self.seconds

    def milliseconds(self, percent: float) -> float:
        """A percentile of the accepted requests' times; NaN if there is none."""
        if not self.accepted:
            return float("nan")
        ordered = sorted(self.accepted)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000

    @property
    def errors(self) -> int:
        """Requests that got no answer, or another than 200."""
        return sum(self.beside(200).values())

    def beside(self, *expected: int) -> dict[str, int]:
        """What came of the requests that were not answered as expected: exceptions by name, and statuses."""
        answered = {str(status): n for status, n in self.statuses.items() if status not in expected}
        return {**self.failures, **answered}


class Connection:
    """One client's connection, kept open, opened again when the server closes it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def send(self, request: bytes) -> tuple[int, bytes]:
        """Send and wait: status and body of the answer."""
        if self._streams is not None and self._streams[0].at_eof():
            self.close()  # the server did, while nobody was asking
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._target.port)
        reader, writer = self._streams
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            lower = head.lower()
            status = int(head.split(b" ", 2)[1])
            if b"\ncontent-length:" in lower:
                length = int(lower.split(b"\ncontent-length:", 1)[1].split(b"\r", 1)[0])
                body = await reader.readexactly(length)
            else:
                body = await _chunked(reader)
            if b"\nconnection: close" in lower:
                self.close()
        except BaseException:
            self.close()
            raise
        return status, body

    def close(self) -> None:
        """Let go of the connection; the next request opens a new one."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def _chunked(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).strip() or b"0", 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    await reader.readexactly(2)
    return body


async def ask(target: Target, picture: bytes) -> tuple[int, bytes]:
    """One request on a connection of its own."""
    connection = Connection(target)
    try:
        return await asyncio.wait_for(connection.send(target.request(picture)), TIMEOUT_SECONDS)
    finally:
        connection.close()


async def closed_loop(
    target: Target, pictures: Sequence[bytes], clients: int, *, seconds: float = 1e9, requests: int = 10**9
) -> Measured:
    """Clients that each send the next picture as soon as they have their answer, for so long or so many."""
    measured = Measured()
    prepared = [target.request(picture) for picture in pictures]
    turn = itertools.count()
    start = time.perf_counter()

    async def client() -> None:
        connection = Connection(target)
        while (number := next(turn)) < requests and time.perf_counter() - start < seconds:
            await _one(connection, prepared[number % len(prepared)], measured)
        connection.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    measured.seconds = time.perf_counter() - start
    return measured


async def open_loop(
    target: Target, pictures: Sequence[bytes], rate: float, seconds: float, connections: int
) -> Measured:
    """Requests at a steady rate whether or not answers come, on at most so many connections.

    What finds no free connection is not sent and counts as the failure "no connection free".
    """
    measured = Measured()
    prepared = [target.request(picture) for picture in pictures]
    free = [Connection(target) for _ in range(connections)]
    running: set[asyncio.Task[None]] = set()
    start = time.perf_counter()

    async def one(connection: Connection, request: bytes) -> None:
        await _one(connection, request, measured)
        free.append(connection)

    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
        if not free:
            measured.failures["no connection free"] += 1
            continue
        task = asyncio.create_task(one(free.pop(), prepared[number % len(prepared)]))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    measured.seconds = time.perf_counter() - start
    for connection in free:
        connection.close()
    return measured


async def _one(connection: Connection, request: bytes, measured: Measured) -> None:
    sent = time.perf_counter()
    try:
        status, _ = await asyncio.wait_for(connection.send(request), TIMEOUT_SECONDS)
    except (OSError, EOFError, TimeoutError, ValueError) as error:
        measured.failures[type(error).__name__] += 1
        return
    measured.statuses[status] += 1
    if status == 200:
        measured.accepted.append(time.perf_counter() - sent)


def median_of(windows: Sequence[Measured], percent: float) -> float:
    """The median over several windows of a percentile, in milliseconds."""
    return statistics.median(window.milliseconds(percent) for window in windows)
