"""A page of this machine, served to its browser alone.

Loopback is no lock: any page in a browser can send requests there. So a request names us as its host, comes
from no other page (`Origin`, `Sec-Fetch-Site`), and for all but the page's own files carries a key, which is
in no address that is sent or logged: it stands behind the # of the address that the command prints.
https://www.w3.org/TR/fetch-metadata/
"""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final

from cli.errors import CliError
from contract.api import error_of

KEY: Final = "x-page-key"
"""The header with the key."""
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_MOST_BYTES: Final = 8192


class Refused(Exception):
    """A request that is not answered, and why."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.body = status, error_of(code, message)


class Server(ThreadingHTTPServer):
    """A server on a free port of 127.0.0.1, with a key of its own."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self.key = secrets.token_urlsafe(24)
        super().__init__(("127.0.0.1", 0), handler)

    @property
    def url(self) -> str:
        """The page's address, with the key."""
        return f"http://127.0.0.1:{self.server_port}/#{self.key}"


class Handler(BaseHTTPRequestHandler):
    """Admits requests and answers them by `get` and `post`, which a page's handler gives."""

    protocol_version = "HTTP/1.1"
    timeout = 60
    open_paths: ClassVar[frozenset[str]] = frozenset()
    """What a browser gets without the key: the page's own files, in which nothing is."""
    server: Server

    def get(self, path: str) -> None:
        raise NotImplementedError

    def post(self, path: str, asked: dict[str, Any]) -> None:
        raise NotImplementedError

    def do_GET(self) -> None:
        self._answered(lambda: self.get(self.path))

    def do_POST(self) -> None:
        self._answered(lambda: self.post(self.path, self._asked()))

    def log_message(self, *arguments: Any) -> None:
        return

    def send_json(self, body: dict[str, Any], status: int = 200) -> None:
        if status >= 400:
            self.close_connection = True  # what was sent may not have been read
        self.send_bytes(json.dumps(body, ensure_ascii=False).encode(), "application/json", status)

    def send_bytes(self, body: bytes, kind: str, status: int = 200) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": kind, "Content-Length": str(len(body)), **_HEADERS}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _answered(self, work: Callable[[], None]) -> None:
        try:
            self._admit()
            work()
        except Refused as refused:
            self.send_json(refused.body, refused.status)
        except CliError as error:
            self.send_json(error_of(type(error).__name__, error.message), 400)
        except ConnectionError:
            self.close_connection = True
        except Exception as error:  # told on the page, or nobody would know
            self.send_json(error_of("Failed", f"{type(error).__name__}: {error}"), 500)

    def _admit(self) -> None:
        hosts = self.headers.get_all("Host") or []
        names = {f"{name}:{self.server.server_port}" for name in ("127.0.0.1", "localhost")}
        if len(hosts) != 1 or hosts[0].lower() not in names:
            raise Refused(403, "ForbiddenHost", "This page is at 127.0.0.1.")
        origin, site = self.headers.get("Origin"), self.headers.get("Sec-Fetch-Site")
        foreign = origin is not None and origin.lower() != f"http://{hosts[0].lower()}"
        if foreign or site not in (None, "same-origin", "none"):
            raise Refused(403, "ForbiddenOrigin", "Another page may not ask here.")
        if self.command == "GET" and self.path in self.open_paths:
            return
        if not hmac.compare_digest(self.headers.get(KEY, "").encode(), self.server.key.encode()):
            raise Refused(403, "NoKey", "Open the whole address that the command has printed.")

    def _asked(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not (length.isdecimal() and len(length) < 9 and int(length) <= _MOST_BYTES):
            raise Refused(413, "InvalidBody", "The body is too long, or of no known length.")
        try:
            asked = json.loads(self.rfile.read(int(length)) or b"{}")
        except (ValueError, RecursionError):
            asked = None
        if not isinstance(asked, dict):
            raise Refused(400, "InvalidBody", "The body is no JSON object.")
        return asked
