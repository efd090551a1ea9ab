"""What strangers send to the port: a client's mistake is a 4xx, and nobody is kept waiting by it."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from inference_code.serving import body as bodies
from inference_code.serving import protocol
from inference_code.serving.server import Server
from inference_code.serving.service import Service
from tests.unit.inference_code.test_service import JPEG, StubModel, service

HEAD = b"Host: container\r\n"
POST = b"POST /invocations HTTP/1.1\r\nContent-Type: image/jpeg\r\n" + HEAD
PING = b"GET /ping HTTP/1.1\r\n" + HEAD
WHOLE = POST + b"Content-Length: %d\r\n\r\n" % len(JPEG) + JPEG


@dataclass(frozen=True)
class Running:
    port: int
    serving: Service
    model: StubModel

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def say(
        self, *parts: bytes, pause: float = 0.0, patience: float = 0.1
    ) -> list[tuple[int, dict[str, str], bytes]]:
        """Send the parts, then listen until the server closes or, after its answer, is silent."""
        with self.connect() as connection:
            try:
                for part in parts:
                    connection.sendall(part)
                    time.sleep(pause)
            except OSError:
                pass  # it was refused before it had sent everything
            return answers(received(connection, patience))


def until(there: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def received(connection: socket.socket, patience: float = 0.1) -> bytes:
    got = b""
    connection.settimeout(30)
    try:
        while part := connection.recv(1 << 16):
            got += part
            connection.settimeout(patience)
    except TimeoutError:
        pass
    return got


def answers(got: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    found = []
    while got:
        head, _, got = got.partition(b"\r\n\r\n")
        status, *lines = head.decode().split("\r\n")
        headers = dict(re.split(r":\s*", line.lower(), maxsplit=1) for line in lines)
        size = int(headers.get("content-length", 0))
        found.append((int(status.split()[1]), headers, got[:size]))
        got = got[size:]
    return found


def codes(said: list[tuple[int, dict[str, str], bytes]]) -> list[tuple[int, str]]:
    return [(status, json.loads(content)["error"]["code"]) for status, _, content in said]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    model = StubModel()
    model.go.set()
    with Started(model, in_work=4, queue=4) as (port, serving):
        yield Running(port, serving, model)


class Started:
    """A server in a thread."""

    def __init__(self, model: StubModel, **changes: Any) -> None:
        self._serving = service(model, host="127.0.0.1", **changes)
        self._server = Server(self._serving, self._serving._settings)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._server.serve()))

    def __enter__(self) -> tuple[int, Service]:
        self._thread.start()
        until(lambda: self._server.started)
        return self._server.servers[0].sockets[0].getsockname()[1], self._serving

    def __exit__(self, *_: Any) -> None:
        self._server.force_exit = self._server.should_exit = True
        self._thread.join(30)


UPGRADE = b"Connection: Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n"


@pytest.mark.parametrize("to", [b"websocket", b"h2c", b"TLS/1.0", b"nonsense"])
def test_an_upgrade_is_not_offered_and_the_request_answered_without(running: Running, to: bytes) -> None:
    ((status, headers, _),) = running.say(PING + UPGRADE % to + b"\r\n")
    assert (status, headers["connection"]) == (200, "close")
    assert codes(running.say(POST + UPGRADE % to + b"Content-Length: 5\r\n\r\nabcde")) == [
        (400, "UpgradeNotOffered")
    ]


@pytest.mark.parametrize(
    ("head", "refusal"),
    [
        (PING + b"X: " + b"x" * 10_000_000 + b"\r\n\r\n", (431, "HeadTooLarge")),
        (PING + b"X: " + b"x" * 40_000 + b"\r\n\r\n", (431, "HeadTooLarge")),
        (PING + b"x" * 10_000_000 + b": x\r\n\r\n", (431, "HeadTooLarge")),
        (PING + b"X: x\r\n" * 200_000 + b"\r\n", (431, "HeadTooLarge")),
        (PING + b"X: x\r\n" * 101 + b"\r\n", (431, "HeadTooLarge")),
        (PING + b"X: x\r\n" * 1_000_000, (431, "HeadTooLarge")),
        (b"GET /" + b"x" * 10_000_000, (414, "UriTooLong")),
        (b"GET /ping?" + b"x" * 9000 + b" HTTP/1.1\r\n\r\n", (414, "UriTooLong")),
    ],
    ids=["10 MB", "40 KB", "a name", "200,000", "101", "without end", "an address", "a query"],
)
def test_a_request_head_has_a_limit(running: Running, head: bytes, refusal: tuple[int, str]) -> None:
    assert codes(running.say(head)) == [refusal]


@pytest.mark.parametrize(
    "shape",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /ping HTTP/9.9\r\n\r\n",
        b"get /ping HTTP/1.1\r\n\r\n",
        b"NONSENSE /ping HTTP/1.1\r\n\r\n",
        b"GET ping HTTP/1.1\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
        b"CONNECT example.com:443 HTTP/1.1\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET http:// HTTP/1.1\r\n" + HEAD + b"\r\n",
        PING + b"No colon\r\n\r\n",
        PING + b"X: a\x00b\r\n\r\n",
        PING + b" folded: x\r\n\r\n",
        PING + b"X : space\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: +5\r\n\r\nabcde",
        POST + b"Content-Length: 5, 5\r\n\r\nabcde",
        POST + b"Content-Length: 1_0\r\n\r\nabcdeabcde",
        POST + b"Content-Length: 99999999999999999999999999\r\n\r\n",
        POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: gzip\r\n\r\nabc",
        POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc",
        POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n3;" + b"x" * 2_000_000 + b"\r\nabc\r\n0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1;ext=1\r\na\r\n" * 200_000 + b"0\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"X: x\r\n" * 300_000 + b"\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * 2_000_000 + b"\r\n\r\n",
    ],
)
def test_what_is_no_http_or_lies_is_a_clients_mistake(running: Running, shape: bytes) -> None:
    said = running.say(shape)
    assert said
    assert all(400 <= status < 500 for status, _, _ in said)
    for _, headers, content in said:
        assert headers["content-type"] == "application/json"
        assert json.loads(content)
    assert running.say(WHOLE)[0][0] == 200


@pytest.mark.parametrize("path", [b"/ping", b"/invocations", b"/", b"/nowhere", b"//ping", b"/ping/../x"])
@pytest.mark.parametrize(
    "method", [b"HEAD", b"OPTIONS", b"TRACE", b"DELETE", b"PUT", b"PATCH", b"PROPFIND", b"GET", b"POST"]
)
def test_every_other_method_and_path_is_a_4xx(running: Running, method: bytes, path: bytes) -> None:
    if (method, path) in ((b"GET", b"/ping"), (b"POST", b"/invocations")):
        return
    ((status, headers, content),) = running.say(method + b" " + path + b" HTTP/1.1\r\n" + HEAD + b"\r\n")
    assert status == (405 if path in (b"/ping", b"/invocations") else 404)
    assert ("allow" in headers) == (status == 405)
    assert (content == b"") if method == b"HEAD" else json.loads(content)["error"]["code"]


def test_http_1_0_and_requests_behind_each_other_are_answered_in_their_order(running: Running) -> None:
    assert running.say(WHOLE.replace(b"HTTP/1.1", b"HTTP/1.0", 1))[0][0] == 200
    assert running.say(b"GET /ping\r\n\r\n")[0][0] == 200  # HTTP/0.9
    both = running.say(
        WHOLE + PING + b"\r\n" + WHOLE + POST + b"Content-Length: 2\r\n\r\nno" + WHOLE, patience=3
    )
    assert [status for status, _, _ in both] == [200, 200, 200, 400, 200]


def test_garbage_behind_a_request_takes_nothing_from_its_answer(running: Running) -> None:
    with running.connect() as connection:
        connection.sendall(WHOLE + b"trailing garbage" * 10)
        ((status, headers, _),) = answers(received(connection, 30))
        assert (status, headers["connection"]) == (200, "close")


def test_duplicate_headers_are_read_as_one_of_them(running: Running) -> None:
    twice = POST + b"Content-Type: text/plain\r\nHost: b\r\nContent-Length: %d\r\n\r\n" % len(JPEG) + JPEG
    assert running.say(twice)[0][0] in (200, 415)


def test_who_asks_before_sending_is_told_to_go_on_or_refused_before_it_sends(running: Running) -> None:
    asks = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    assert [each[0] for each in running.say(asks % len(JPEG), JPEG, pause=0.3, patience=1)] == [100, 200]
    ((status, headers, content),) = running.say(asks % 20_000_000)
    assert (status, headers["connection"]) == (413, "close")
    assert json.loads(content)["error"]["code"] == "PayloadTooLarge"


def test_a_request_that_comes_drop_by_drop_is_answered_or_given_up(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert running.say(*(WHOLE[:200][i : i + 1] for i in range(200)), WHOLE[200:])[0][0] == 200
    monkeypatch.setattr(protocol, "ARRIVAL_SECONDS", 0.2)
    assert codes(running.say(PING[:20])) == [(408, "RequestTimeout")]
    # After its answer a client may not go on for ever with a body that nobody reads.
    begun = time.monotonic()
    slow = b"POST /ping HTTP/1.1\r\nContent-Length: 900000\r\n\r\n"
    with running.connect() as connection:
        connection.sendall(slow)
        assert answers(received(connection, 0.1))[0][0] == 405
        connection.settimeout(30)
        assert connection.recv(1) == b""
    assert time.monotonic() - begun < 20


def test_a_connection_that_says_nothing_is_closed(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "SILENCE_SECONDS", 0.2)
    with running.connect() as connection:
        assert connection.recv(1) == b""


def test_idle_connections_make_room_for_new_ones_and_those_in_work_stay(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "MOST_CONNECTIONS", 20)
    running.model.go.clear()
    try:
        with ExitStack() as stack:
            working = stack.enter_context(running.connect())
            working.sendall(WHOLE)
            until(lambda: running.serving.admission.admitted == 1)
            idle = [stack.enter_context(running.connect()) for _ in range(60)]
            assert running.say(PING + b"\r\n")[0][0] == 200
            assert idle[0].recv(1) == b""
            running.model.go.set()
            assert answers(received(working))[0][0] == 200
    finally:
        running.model.go.set()


def test_slow_bodies_take_no_place_from_those_who_send_theirs(running: Running) -> None:
    with ExitStack() as stack:
        slow = [stack.enter_context(running.connect()) for _ in range(100)]
        for connection in slow:
            connection.sendall(WHOLE[:-10])
        for _ in range(20):
            assert running.say(WHOLE)[0][0] == 200
        for connection in slow:
            connection.sendall(WHOLE[-10:])
        # Twelve at most are worked on together; of the others each is told so.
        statuses = [answers(received(connection, 0.001))[0][0] for connection in slow]
        assert set(statuses) <= {200, 503}
        assert statuses.count(200) >= 1
    until(lambda: running.serving.admission.admitted == 0)


def test_of_slow_bodies_the_oldest_is_given_up_when_they_hold_too_much(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MOST_ARRIVING_BYTES", 3 * len(JPEG))
    monkeypatch.setattr(bodies, "DISCARD_SECONDS", 0.1)
    with ExitStack() as stack:
        slow = [stack.enter_context(running.connect()) for _ in range(4)]
        for connection in slow:
            connection.sendall(WHOLE[:-10])
            time.sleep(0.1)
        assert codes(answers(received(slow[0]))) == [(408, "BodyTimeout")]
        assert running.say(WHOLE)[0][0] == 200
        slow[3].sendall(WHOLE[-10:])
        assert answers(received(slow[3]))[0][0] == 200
    until(lambda: running.serving._arrivals._kept == 0)
