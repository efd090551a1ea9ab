"""HTTP/1.1 as strangers send it: uvicorn's parser, with a bound on all that it would wait for or keep.

There are bounds on the size of a request's head, on the time a whole request may take, on how much chunk
framing there may be for its body, and on the number of connections. Whoever passes one gets an error of the
usual form, and the connection is closed. A request that arrives in one piece costs a few comparisons more.
"""

from __future__ import annotations

import asyncio
import resource
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from inference_code.api_error import ApiError

# Far above what SageMaker and proxies send; their own bounds are 8 to 60 KB.
MOST_HEAD_BYTES = 32 * 1024
MOST_URL_BYTES = 8 * 1024
MOST_HEADERS = 100
# Chunk sizes with their extensions, and trailers: so much, and beyond it as much as the body.
MOST_WRAPPING_BYTES = 64 * 1024
# From a request's first byte to its last. A picture is given less by the service.
ARRIVAL_SECONDS = 30.0
# For a new connection's first byte; afterwards uvicorn's keep-alive counts.
SILENCE_SECONDS = 75.0
# A refused client that is still sending is listened to for so long: else it would see a reset and no answer.
LINGER_SECONDS = 2.0


# As many as file descriptors allow, some of which the process needs for itself.
MOST_CONNECTIONS = max(50, min(2000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 100))


class Protocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._arriving = self._in_head = False
        """Whether a request has begun and not ended, and whether its body has not begun."""
        self._received = self._of_body = 0
        """Bytes of that request after the segment in which it began, and of its body."""
        self._heard = 0.0
        """When the last bytes came."""
        self._deaf = False
        """What still comes is of no interest."""
        self._refusal: ApiError | None = None
        self._timer: asyncio.TimerHandle | None = None

    # What asyncio calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._heard = self.loop.time()
        self._timer = self.loop.call_later(SILENCE_SECONDS, transport.close)
        if len(self.connections) > MOST_CONNECTIONS:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._heard = self.loop.time()
        if not self._arriving:
            self._stop_timer()
        self._received += len(data)
        super().data_received(data)
        if self._arriving and not self._deaf:
            self._go_on_waiting()

    # What the parser calls

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._arriving = self._in_head = True
        self._received = self._of_body = 0

    def on_headers_complete(self) -> None:
        size = sum(len(name) + len(value) for name, value in self.headers)
        if len(self.url) > MOST_URL_BYTES or size > MOST_HEAD_BYTES or len(self.headers) > MOST_HEADERS:
            raise self._head_too_large()
        upgrade = self.parser.should_upgrade()
        if upgrade and any(name in (b"content-length", b"transfer-encoding") for name, _ in self.headers):
            # The parser takes what follows the head for another protocol's.
            raise self._refused(
                HTTPStatus.BAD_REQUEST,
                "UpgradeNotOffered",
                "There is HTTP/1.1 here and nothing else: send the body without the header Upgrade.",
            )
        super().on_headers_complete()
        self._in_head = False
        if upgrade:  # answered as if it had not asked
            self._deaf = True
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._of_body += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._arriving = False
        self._stop_timer()
        super().on_message_complete()

    # What uvicorn calls

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP, or was refused on the way through the parser."""
        self._say_no(
            self._refusal
            or self._refused(HTTPStatus.BAD_REQUEST, "InvalidRequest", "This is no HTTP/1.1 request.")
        )

    def _unsupported_upgrade_warning(self) -> None:
        """None is offered, so none is missed."""

    # The bounds

    def _go_on_waiting(self) -> None:
        """A part of a request is here; the rest has a time and a size."""
        if self._timer is None:
            self._timer = self.loop.call_later(ARRIVAL_SECONDS, self._too_slow)
        if self._in_head and self._received > MOST_HEAD_BYTES + MOST_URL_BYTES:
            self._say_no(self._head_too_large())
        elif self._received > MOST_HEAD_BYTES + MOST_WRAPPING_BYTES + 2 * self._of_body:
            why = "There is more around the body than in it: send it in fewer and plainer chunks."
            self._say_no(self._refused(HTTPStatus.BAD_REQUEST, "TooMuchWrapping", why))

    def _too_slow(self) -> None:
        why = "The request did not arrive in time: send it again."
        self._say_no(self._refused(HTTPStatus.REQUEST_TIMEOUT, "RequestTimeout", why))

    def _make_room(self) -> None:
        """Close the connection that has been silent longest among those nobody works for."""
        idle = [each for each in self.connections if isinstance(each, Protocol) and not each._in_work]
        min(idle, key=lambda each: each._heard).transport.close()

    @property
    def _in_work(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete and not self._arriving

    def _head_too_large(self) -> ApiError:
        if len(self.url) > MOST_URL_BYTES:
            why = f"An address may have {MOST_URL_BYTES} bytes; send the picture as the body."
            return self._refused(HTTPStatus.REQUEST_URI_TOO_LONG, "UriTooLong", why)
        why = f"A request may have {MOST_HEADERS} headers of {MOST_HEAD_BYTES} bytes together."
        return self._refused(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "HeadTooLarge", why)

    def _refused(self, status: HTTPStatus, code: str, message: str) -> ApiError:
        self._refusal = ApiError(status, code, message)
        return self._refusal

    def _say_no(self, refusal: ApiError) -> None:
        """Answer and close, unless an earlier request's answer is still to come: that one goes out."""
        self._deaf = True
        self._stop_timer()
        if self.transport.is_closing():
            return
        cycle, its_own = self.cycle, self._arriving and not self._in_head
        if cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False
            if not its_own:
                return
            cycle.disconnected = True  # the service hears that the client is gone
            cycle.message_event.set()
        if cycle is None or not its_own or not cycle.response_started:
            body = refusal.as_json().encode()
            head = (
                f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
            )
            self.transport.write(STATUS_LINE[refusal.status] + head.encode() + body)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
