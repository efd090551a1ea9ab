"""HTTP that no client of ours would send: shapes of requests as raw bytes, and the callers that send them."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

PATIENCE_SECONDS: Final = 40.0
"""Longer than a server may take to give up on a sender."""

WAITED_SECONDS: Final = 3.0
"""How long is looked at a sender whose request never ends."""


@dataclass(frozen=True)
class Shape:
    """One way to misuse a connection: bytes to send, and seconds to wait between them."""

    name: str
    parts: tuple[bytes | float, ...]
    waits: bool = False
    """Whether it never ends its request: then no answer is due, and its time says nothing."""
    refused: bool = True
    """Whether a 200 would be wrong, too: no sound request is in it."""


@dataclass(frozen=True)
class Place:
    """Where the shapes are sent: one route of one server, with a body that it takes."""

    name: str
    host: str
    port: int
    method: str
    path: str
    headers: str
    body: bytes

    def head(self, extra: str = "", length: int | None = None) -> bytes:
        """A request's head; `length` differs from the body's where that is the attack."""
        size = len(self.body) if length is None else length
        lines = f"{self.method} {self.path} HTTP/1.1\r\nHost: {self.host}\r\n{self.headers}"
        return f"{lines}{extra}Content-Length: {size}\r\n\r\n".encode()

    def bare(self, first: str, extra: str = "") -> bytes:
        """A request without a body and with another first line."""
        return f"{first}\r\nHost: {self.host}\r\n{self.headers}{extra}\r\n".encode()


@dataclass(frozen=True)
class Answered:
    """What came back: the status of the first answer (None: the connection was closed without one)."""

    status: int | None
    seconds: float
    text: bytes = b""

    @property
    def is_fault(self) -> bool:
        """An answer which says that the server is to blame; told to come back is none."""
        return self.status is not None and self.status >= 500 and self.status != 503


def shapes(place: Place) -> list[Shape]:
    """Forty and more shapes, made for this place."""
    return [*_first_lines(place), *_headers(place), *_lengths(place), *_upgrades(place), *_slow(place)]


def _first_lines(place: Place) -> list[Shape]:
    path, long = place.path, "a" * 200_000
    lines = {
        "no request at all": b"\r\n\r\n\r\n",
        "binary noise": bytes(range(256)) * 40,
        "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(505),
        "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(30),
        "HTTP/0.9": f"GET {path}\r\n".encode(),
        "HTTP/9.9": place.bare(f"GET {path} HTTP/9.9"),
        "a method of 200,000 letters": place.bare(f"{long} {path} HTTP/1.1"),
        "a path of 200,000 letters": place.bare(f"GET {path}{long} HTTP/1.1"),
        "a query of 200,000 letters": place.bare(f"GET {path}?{long} HTTP/1.1"),
        "a path with a null": place.bare(f"GET {path}%00 HTTP/1.1"),
        "a path that climbs": place.bare(f"GET {path}/../../../../etc/passwd HTTP/1.1"),
        "a path that climbs, encoded": place.bare(f"GET {path}/%2e%2e%2f%2e%2e%2fetc%2fpasswd HTTP/1.1"),
        "a path of broken UTF-8": place.bare(f"GET {path}/%ff%fe HTTP/1.1"),
        "an absolute address": place.bare(f"GET http://169.254.169.254{path} HTTP/1.1"),
        "TRACE": place.bare(f"TRACE {path} HTTP/1.1"),
        "CONNECT": place.bare("CONNECT 169.254.169.254:80 HTTP/1.1"),
        "OPTIONS *": place.bare("OPTIONS * HTTP/1.1"),
        "HEAD": place.bare(f"HEAD {path} HTTP/1.1"),
        "DELETE": place.bare(f"DELETE {path} HTTP/1.1"),
        "an unknown method": place.bare(f"BREW {path} HTTP/1.1"),
        "a first line in two": f"GET\r\n {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
    }
    may_answer = {"OPTIONS *", "HEAD", "TRACE", "DELETE", "an absolute address", "a query of 200,000 letters"}
    endless = {"no request at all", "HTTP/0.9"}
    return [
        Shape(name, (sent,), waits=name in endless, refused=name not in may_answer)
        for name, sent in lines.items()
    ]


def _headers(place: Place) -> list[Shape]:
    body, big = place.body, "x" * 65_000
    heads = {
        "10 MB of headers": place.head("".join(f"X-{n}: {big}\r\n" for n in range(160))),
        "100,000 headers": place.head("".join(f"X-{n}: 1\r\n" for n in range(100_000))),
        "a header of 1 MB": place.head("X-Long: " + big * 16 + "\r\n"),
        "a header without a colon": place.head("nonsense\r\n"),
        "a header with a null": place.head("X-Null: a\0b\r\n"),
        "a folded header": place.head("X-Folded: a\r\n b\r\n"),
        "a header of broken UTF-8": place.head("X-Bytes: ").replace(b"X-Bytes: ", b"X-Bytes: \xff\xfe\r\n"),
        "two hosts": place.head("Host: other.example\r\n"),
        "a content type that injects": place.head("Content-Type: image/jpeg\r\nX: a\rSet-Cookie: b\r\n"),
        "an absurd content type": place.head("Content-Type: " + ";=/\"'" * 1_000 + "\r\n"),
        "an absurd accept": place.head("Accept: " + "*/*;q=9e999," * 2_000 + "\r\n"),
        "an attribute of top_k": place.head('X-Amzn-SageMaker-Custom-Attributes: top_k=1e309;"\\\r\n'),
        "a top_k of 5,000 digits": place.head(f"X-Amzn-SageMaker-Custom-Attributes: top_k={'9' * 5000}\r\n"),
        "no host": place.head().replace(f"Host: {place.host}\r\n".encode(), b""),
        "Expect: the moon": place.head("Expect: the-moon\r\n"),
    }
    may_answer = {"an absurd accept", "a folded header", "a header of broken UTF-8", "Expect: the moon"}
    if place.path == "/invocations":  # SageMaker alone calls it, by whatever name
        may_answer |= {"two hosts", "no host", "an absurd content type"}
    if "classify" in place.path:  # API Gateway hands on no header of SageMaker's
        may_answer |= {"an attribute of top_k", "a top_k of 5,000 digits"}
    return [Shape(name, (head + body,), refused=name not in may_answer) for name, head in heads.items()]


def _lengths(place: Place) -> list[Shape]:
    body = place.body
    chunked = place.head().replace(f"Content-Length: {len(body)}".encode(), b"Transfer-Encoding: chunked")
    both = place.head("Transfer-Encoding: chunked\r\n")
    sent = {
        "a negative length": place.head(length=-1) + body,
        "a length of words": place.head().replace(str(len(body)).encode(), b"many") + body,
        "two lengths": place.head(f"Content-Length: {len(body) + 1}\r\n") + body,
        "a length of 30 digits": place.head(length=10**30) + body,
        "a length of 4 GB": place.head(length=2**32) + body,
        "length and chunks": both + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
        "a chunk of no size": chunked + b"zz\r\n" + body,
        "a chunk of 10^18 bytes": chunked + b"de0b6b3a7640000\r\n" + body,
        "a chunk with 1 MB of extension": chunked + b"1;" + b"e" * 2**20 + b"\r\nx\r\n0\r\n\r\n",
        "100,000 chunks of one byte": chunked + b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n",
        "trailers without an end": chunked + b"0\r\n" + b"X-T: 1\r\n" * 100_000 + b"\r\n",
        "a body of 64 MB": place.head(length=64 * 2**20) + bytes(64 * 2**20),
        "gzip that is none": place.head("Content-Encoding: gzip\r\n") + body,
        "a second request inside": place.head(length=0) + b"GET /x HTTP/1.1\r\n" + body,
    }
    # Of a length and chunks a server may take the chunks (RFC 9112, 6.1).
    may_answer = {"gzip that is none", "length and chunks"}
    endless = {"two lengths", "a length of 30 digits", "a length of 4 GB", "a chunk of 10^18 bytes"}
    return [
        Shape(name, (each,), waits=name in endless, refused=name not in may_answer)
        for name, each in sent.items()
    ]


def _upgrades(place: Place) -> list[Shape]:
    socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    return [
        Shape("a WebSocket", (place.bare(f"GET {place.path} HTTP/1.1", socket + key),)),
        Shape("a WebSocket without a key", (place.bare(f"GET {place.path} HTTP/1.1", socket),)),
        Shape("a WebSocket on /ping", (place.bare("GET /ping HTTP/1.1", socket + key),), refused=False),
        Shape(
            "HTTP/2 in clear text",
            (place.bare(f"GET {place.path} HTTP/1.1", "Connection: Upgrade\r\nUpgrade: h2c\r\n"),),
            refused=False,
        ),
    ]


def _slow(place: Place) -> list[Shape]:
    return [
        Shape("half a head, then nothing", (place.head()[:40],), waits=True),
        Shape(
            "half a body, then nothing", (place.head() + place.body[: len(place.body) // 2], 3.0), waits=True
        ),
        Shape(
            "a head letter by letter",
            tuple(itertools.chain.from_iterable((bytes([each]), 0.02) for each in place.head()[:100])),
            waits=True,
        ),
        Shape("100 requests at once", ((place.head() + place.body) * 100,), refused=False),
    ]


async def send(place: Place, shape: Shape) -> Answered:
    """One shape on a connection of its own; the first answer to it."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", place.port)
    try:
        async with asyncio.timeout(WAITED_SECONDS if shape.waits else PATIENCE_SECONDS):
            head, _ = await asyncio.gather(_head(reader), _write(writer, shape.parts))
    except (OSError, TimeoutError) as error:
        late = isinstance(error, TimeoutError) and not shape.waits
        return Answered(599 if late else None, time.perf_counter() - began, type(error).__name__.encode())
    finally:
        writer.close()
    words = head.split(b" ", 2)
    status = int(words[1]) if head.startswith(b"HTTP/") and len(words) > 1 and words[1].isdigit() else None
    return Answered(status, time.perf_counter() - began, head)


async def _write(writer: asyncio.StreamWriter, parts: Sequence[bytes | float]) -> None:
    try:
        for part in parts:
            if isinstance(part, float):
                await asyncio.sleep(part)
                continue
            writer.write(part)
            await writer.drain()
    except OSError:
        return  # the server has said no and closed: what it answered is read beside


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n")
    except asyncio.IncompleteReadError as error:
        return error.partial
    except OSError:
        return b""


@dataclass
class Crowd:
    """Clients that hold connections open and send next to nothing, while others ask."""

    place: Place
    senders: int
    slow: list[asyncio.StreamWriter] = field(default_factory=list)

    async def __aenter__(self) -> Crowd:
        for _ in range(self.senders):
            _reader, writer = await asyncio.open_connection("127.0.0.1", self.place.port)
            writer.write(self.place.head() + self.place.body[:10])
            self.slow.append(writer)
        await asyncio.sleep(0.5)
        return self

    async def __aexit__(self, *_: object) -> None:
        for writer in self.slow:
            writer.close()
