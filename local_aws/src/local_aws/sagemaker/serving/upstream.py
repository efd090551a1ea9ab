"""HTTP/1.1 from the server's event loop to one server process, over connections that stay open.

Every prediction pays this way, so it makes no new connection and hops to no thread; `h11` reads the answers.
Where the process had closed the connection meanwhile, the request is sent once more.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import Any

import h11

_CHUNK = 256 * 1024
# Room for the header block of an answer; SageMaker's own headers are far below.
_MAX_HEADERS = 64 * 1024


class UpstreamError(Exception):
    """The server process gave no proper answer: it is gone, closed the connection, or does not speak HTTP."""


class _StaleError(Exception):
    """The connection was closed before a single byte of the answer."""


@dataclass(frozen=True)
class Answer:
    """What a server process answered; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class _Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    http: h11.Connection


class Connections:
    """The open connections to one server process."""

    def __init__(self, host: str, port: int) -> None:
        self.host = host
        self.port = port
        self._idle: deque[_Connection] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def request(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answer:
        """Send one request and read the whole answer. Raises UpstreamError; time-outs are the caller's."""
        self._loop = asyncio.get_running_loop()
        while self._idle:
            try:
                return await self._exchange(self._idle.pop(), method, path, headers, body)
            except _StaleError:
                continue
        try:
            connection = await self._connect()
            return await self._exchange(connection, method, path, headers, body)
        except (_StaleError, OSError) as error:
            raise UpstreamError(f"the server process closed the connection: {error}") from error

    def close(self) -> None:
        """Close the idle connections, from any thread, when the process is gone."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._close_idle)

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().writer.close()

    async def _connect(self) -> _Connection:
        reader, writer = await asyncio.open_connection(self.host, self.port, limit=_CHUNK)
        return _Connection(reader, writer, h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEADERS))

    async def _exchange(
        self, connection: _Connection, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> Answer:
        reusable = False
        try:
            await self._send(connection, method, path, headers, body)
            answer = await self._receive(connection)
            reusable = _next_cycle(connection.http)
            return answer
        except h11.ProtocolError as error:
            raise UpstreamError(f"the server process answered no proper HTTP: {error}") from error
        finally:
            if reusable:
                self._idle.append(connection)
            else:
                connection.writer.close()

    async def _send(
        self, connection: _Connection, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> None:
        lines = [("host", f"{self.host}:{self.port}"), ("content-length", str(len(body))), *headers.items()]
        http, writer = connection.http, connection.writer
        try:
            writer.write(http.send(h11.Request(method=method, target=path, headers=lines)) or b"")
            writer.write(http.send(h11.Data(data=body)) or b"")
            writer.write(http.send(h11.EndOfMessage()) or b"")
            await writer.drain()
        except OSError:
            # A server that refuses a body early answers and closes while we still write; the answer may be
            # there.
            return

    async def _receive(self, connection: _Connection) -> Answer:
        response: h11.Response | None = None
        body: list[bytes] = []
        while True:
            event: Any = connection.http.next_event()
            if event is h11.NEED_DATA:
                await self._read(connection, nothing_yet=response is None)
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                body.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage):
                if response is None:
                    raise UpstreamError("the server process ended its answer before it began")
                headers = {name.decode("ascii"): value.decode("latin-1") for name, value in response.headers}
                return Answer(response.status_code, headers, b"".join(body))
            elif isinstance(event, h11.ConnectionClosed):
                raise _StaleError("no answer")

    async def _read(self, connection: _Connection, *, nothing_yet: bool) -> None:
        try:
            data = await connection.reader.read(_CHUNK)
        except OSError as error:
            if nothing_yet:
                raise _StaleError(str(error)) from error
            raise UpstreamError(f"the connection broke in the middle of the answer: {error}") from error
        if not data and nothing_yet:
            raise _StaleError("it was closed without an answer")
        connection.http.receive_data(data)


def _next_cycle(http: h11.Connection) -> bool:
    """Make the connection ready for the next request; whether it can take one."""
    if http.our_state is h11.DONE and http.their_state is h11.DONE:
        http.start_next_cycle()
        return True
    return False
