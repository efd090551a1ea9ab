"""Putting many small objects into a bucket, quicker than by the SDK, whose calls cost more than the sending.

The first object goes by the SDK, which knows the bucket's address. The others are signed by the SDK and sent
over connections of our own. Whatever is not plainly a success goes by the SDK again: it knows how to retry,
and what to say.
"""

from __future__ import annotations

import base64
import os
import ssl
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

from cli.target import Target

WORKERS: Final = 16
"""Requests under way at a time."""
_SECONDS: Final = 60.0
"""For one object; then the SDK tries."""


T = TypeVar("T")


class Sender:
    """Puts objects below one prefix of a bucket; to be used by many threads."""

    def __init__(self, target: Target, bucket: str, prefix: str, workers: int) -> None:
        self._target, self._bucket, self._prefix = target, bucket, prefix
        self._s3: Any = target.client("s3", max_pool_connections=workers)
        self._place: str | None = None
        """The URL that the prefix belongs behind, once it is known."""
        self._own = threading.local()
        self._open: list[HTTPConnection] = []
        self._s3.meta.events.register("before-send.s3.PutObject", self._learn)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for connection in self._open:
            connection.close()

    def put(self, key: str, body: bytes, kind: str, sha256: str) -> None:
        """Put one object, whose hash S3 compares with what it got.

        Args:
            key: below the prefix.
            kind: its Content-Type.
            sha256: of the body, in hexadecimal.
        """
        place = self._place
        if place is not None and self._sent(place + self._prefix + key, body, kind, sha256):
            return
        self._s3.put_object(
            Bucket=self._bucket,
            Key=self._prefix + key,
            Body=body,
            ContentType=kind,
            ChecksumSHA256=base64.b64encode(bytes.fromhex(sha256)).decode(),
        )

    def copy(self, key: str, source: str) -> None:
        """Put an object that lies elsewhere in the bucket, without fetching it."""
        where = {"Bucket": self._bucket, "Key": source}
        self._s3.copy_object(Bucket=self._bucket, Key=self._prefix + key, CopySource=where)

    def _learn(self, request: Any, **_: Any) -> None:
        """Where the SDK sends to; a proxy is left to it."""
        from botocore.utils import get_environ_proxies

        place, found, _rest = request.url.partition(self._prefix)
        if found and not get_environ_proxies(request.url):
            self._place = place

    def _sent(self, url: str, body: bytes, kind: str, digest: str) -> bool:
        headers = {"Content-Type": kind, "X-Amz-Content-SHA256": digest}
        signed = self._target.signed("s3", "PUT", url, headers, body)
        try:
            connection = self._connection(url)
            connection.request("PUT", urlsplit(url).path, body, signed)
            answer = connection.getresponse()
            answer.read()
        except (OSError, HTTPException):
            self._own.connection.close()  # it opens again for the next object
            return False
        if 300 <= answer.status < 500:
            self._place = None  # it is not as we think: all others go by the SDK
        return answer.status == 200

    def _connection(self, url: str) -> HTTPConnection:
        """This thread's."""
        connection: HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            address = urlsplit(url)
            if address.scheme == "https":
                connection = HTTPSConnection(address.netloc, timeout=_SECONDS, context=_trusted())
            else:
                connection = HTTPConnection(address.netloc, timeout=_SECONDS)
            self._own.connection = connection
            self._open.append(connection)
        return connection


def _trusted() -> ssl.SSLContext:
    """The authorities that the SDK trusts."""
    from botocore.httpsession import get_cert_path

    return ssl.create_default_context(cafile=os.environ.get("AWS_CA_BUNDLE") or get_cert_path(True))


def in_parallel(things: Iterable[T], work: Callable[[T], None], on_done: Callable[[int], None]) -> None:
    """Do the work on each, `WORKERS` at a time; `on_done` is called with how many more are done."""
    pool = ThreadPoolExecutor(WORKERS)
    try:
        pending: set[Future[None]] = set()
        for thing in things:
            if len(pending) >= 4 * WORKERS:
                pending = _collect(pending, on_done)
            pending.add(pool.submit(work, thing))
        while pending:
            pending = _collect(pending, on_done)
    finally:  # on Ctrl-C what is under way ends, nothing new starts
        pool.shutdown(wait=True, cancel_futures=True)


def _collect(pending: set[Future[None]], on_done: Callable[[int], None]) -> set[Future[None]]:
    done, rest = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        future.result()
        on_done(1)
    return rest
