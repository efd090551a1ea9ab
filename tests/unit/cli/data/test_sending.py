"""Objects are put over connections of our own where that works, and by the SDK where it does not."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from cli.data.sending import Sender

PREFIX = "datasets/pets/pictures/"
BODY = b"a picture"
SHA256 = hashlib.sha256(BODY).hexdigest()


class Store(ThreadingHTTPServer):
    """What answers requests that are sent directly."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Put)
        self.put: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.answers: dict[str, int] = {}
        self.connections = 0


class Put(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Store

    def setup(self) -> None:
        self.server.connections += 1
        super().setup()

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        key = self.path.removeprefix("/bucket/")
        status = self.server.answers.get(key, 200)
        if status == 200:
            self.server.put[key] = body, {name.lower(): value for name, value in self.headers.items()}
        if not status:
            self.connection.close()
            self.close_connection = True
            return
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Sdk:
    """A client that tells of the requests it sends to the store."""

    def __init__(self, store: Store) -> None:
        self.put: list[str] = []
        self._port = store.server_port
        self._handler: Callable[..., None]
        self.meta = SimpleNamespace(events=SimpleNamespace(register=self._register))

    def _register(self, event: str, handler: Callable[..., None]) -> None:
        assert event == "before-send.s3.PutObject"
        self._handler = handler

    def put_object(
        self, *, Bucket: str, Key: str, Body: bytes, ContentType: str, ChecksumSHA256: str
    ) -> None:
        assert Body == BODY
        self.put.append(Key)
        self._handler(request=SimpleNamespace(url=f"http://127.0.0.1:{self._port}/{Bucket}/{Key}"))


class Account:
    """As much of a target as a sender needs."""

    def __init__(self, sdk: Sdk) -> None:
        self._sdk = sdk

    def client(self, service: str, **_: Any) -> Sdk:
        assert service == "s3"
        return self._sdk

    def signed(
        self, service: str, method: str, url: str, headers: dict[str, str], body: bytes
    ) -> dict[str, str]:
        return {**headers, "Authorization": f"{service} {method} {url}"}


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def sending(store: Store) -> Iterator[tuple[Sender, Sdk]]:
    sdk = Sdk(store)
    account: Any = Account(sdk)
    with Sender(account, "bucket", PREFIX, 2) as sender:
        yield sender, sdk


def test_the_first_goes_by_the_sdk_and_the_rest_signed_over_one_connection(store: Store) -> None:
    with sending(store) as (sender, sdk):
        for name in ("a.jpg", "b.jpg", "c.jpg"):
            sender.put(name, BODY, "image/jpeg", SHA256)
    assert sdk.put == [f"{PREFIX}a.jpg"]
    assert sorted(store.put) == [f"{PREFIX}b.jpg", f"{PREFIX}c.jpg"]
    body, headers = store.put[f"{PREFIX}c.jpg"]
    assert body == BODY
    assert headers["content-type"] == "image/jpeg"
    assert headers["x-amz-content-sha256"] == hashlib.sha256(BODY).hexdigest()
    assert headers["authorization"] == f"s3 PUT http://127.0.0.1:{store.server_port}/bucket/{PREFIX}c.jpg"
    assert store.connections == 1


@pytest.mark.parametrize("status", [0, 503])
def test_what_fails_for_once_goes_by_the_sdk_and_the_next_directly_again(store: Store, status: int) -> None:
    store.answers[f"{PREFIX}b.jpg"] = status
    with sending(store) as (sender, sdk):
        for name in ("a.jpg", "b.jpg", "c.jpg"):
            sender.put(name, BODY, "image/jpeg", SHA256)
    assert sdk.put == [f"{PREFIX}a.jpg", f"{PREFIX}b.jpg"]
    assert list(store.put) == [f"{PREFIX}c.jpg"]


@pytest.mark.parametrize("status", [307, 403])
def test_what_the_store_refuses_goes_by_the_sdk(store: Store, status: int) -> None:
    store.answers = {f"{PREFIX}{name}": status for name in ("b.jpg", "c.jpg")}
    with sending(store) as (sender, sdk):
        for name in ("a.jpg", "b.jpg", "c.jpg"):
            sender.put(name, BODY, "image/jpeg", SHA256)
    assert [key.removeprefix(PREFIX) for key in sdk.put] == ["a.jpg", "b.jpg", "c.jpg"]


def test_behind_a_proxy_all_go_by_the_sdk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://proxy.example:3128")
    monkeypatch.setenv("no_proxy", "")
    with sending(store) as (sender, sdk):
        for name in ("a.jpg", "b.jpg"):
            sender.put(name, BODY, "image/jpeg", SHA256)
    assert len(sdk.put) == 2


def test_threads_do_not_share_a_connection(store: Store) -> None:
    names = [f"{number}.jpg" for number in range(60)]
    with sending(store) as (sender, sdk), ThreadPoolExecutor(4) as pool:
        sender.put("first.jpg", BODY, "image/jpeg", SHA256)
        list(pool.map(lambda name: sender.put(name, BODY, "image/jpeg", SHA256), names))
    assert set(store.put) == {PREFIX + name for name in names}
    assert len(sdk.put) == 1
    assert store.connections <= 4
