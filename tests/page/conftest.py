"""The page in a browser, before an API that answers what a test wants."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from functions.classify import page as classify_page
from tests.page.browser import Browser, Page, executable

SCREENSHOTS = Path(__file__).resolve().parents[2] / ".local" / "page"
MAX_BYTES = 300_000
KEY = "the-key"
NAMES = ("Golden retriever", "Labrador retriever", "Kuvasz", "Otterhound", "Great Pyrenees")
SHARES = (0.8731, 0.0822, 0.0213, 0.0091, 0.0004)
MODEL = {
    "model": {"name": "dogs", "version": "3"},
    "dataset": "dogs",
    "test_accuracy": 0.9312,
    "endpoint": {"name": "dogs", "status": "InService"},
    "limits": {"max_image_bytes": MAX_BYTES},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if executable() is None:
        reason = "there is no Chromium here: apt-get install chromium, or name one in CHROMIUM"
        for item in items:
            if Path(item.path).parent == Path(__file__).parent:
                item.add_marker(pytest.mark.skip(reason=reason))


def prediction() -> dict[str, Any]:
    ranking = [
        {"class": name, "class_index": index, "confidence": share}
        for index, (name, share) in enumerate(zip(NAMES, SHARES, strict=True))
    ]
    return {
        "predicted_class": NAMES[0],
        "class_index": 0,
        "confidence": SHARES[0],
        "predictions": ranking,
        "model": MODEL["model"],
    }


def refusal(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}, "request_id": "request-1"}


@dataclass
class Api:
    """What the page talks to; a test sets `answers` and looks at `received`."""

    url: str = ""
    answers: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    """Taken one by one by POST /classify; the last one stays."""
    model: tuple[int, dict[str, Any]] = (200, MODEL)
    classes: tuple[str, ...] = NAMES
    given_days: int = 0
    """How long the page says that a picture is kept; 0: it offers no such thing."""
    feedback: tuple[int, dict[str, Any]] | None = None
    """What POST /feedback answers; None: what was said, as the API does."""
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    """The paths of what was received."""


@pytest.fixture
def api() -> Iterator[Api]:
    state = Api(answers=[(200, prediction())])

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: Any) -> None:
            return

        def answer(self, status: int, body: bytes, **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            if self.path == "/live/":
                html = classify_page.html(MAX_BYTES, state.given_days)
                policy = classify_page.policy(html)
                kind = "text/html; charset=utf-8"
                self.answer(200, html.encode(), Content_Type=kind, Content_Security_Policy=policy)
            elif self.path == "/live/classes" and self.headers["x-api-key"] == KEY:
                document = {"model": MODEL["model"], "classes": list(state.classes)}
                self.answer(200, json.dumps(document).encode(), Content_Type="application/json")
            else:
                status, document = state.model if self.path == "/live/model" else (403, {})
                self.answer(status, json.dumps(document).encode(), Content_Type="application/json")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.asked.append(self.path)
            state.received.append(({name.lower(): value for name, value in self.headers.items()}, body))
            if self.path == "/live/feedback":
                status, document = state.feedback or (200, json.loads(body))
            else:
                status, document = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            retry = {"Retry_After": "1"} if status == 503 else {}
            self.answer(status, json.dumps(document).encode(), Content_Type="application/json", **retry)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}/live/"
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    started = Browser(tmp_path_factory.mktemp("profile"))
    yield started
    started.close()


@pytest.fixture
def page(browser: Browser, api: Api) -> Iterator[Page]:
    """The page, opened, with an API key."""
    yield from opened_page(browser, api)


def opened_page(browser: Browser, api: Api) -> Iterator[Page]:
    opened = Page(browser)
    opened.look()
    opened.open(api.url)
    opened.js("document.getElementById('key').focus()")
    opened.type(KEY)
    yield opened
    assert opened.complaints() == []
    opened.close()
