"""The review page and what it asks: what is kept, a picture, a decision, a new version."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from cli.corrections import loopback
from cli.corrections.desk import Answer, Desk, shown
from cli.corrections.loopback import Refused
from cli.data.upload import Todo

_FILES: Final = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
_MOST_BY_A_BUTTON: Final = 1000
"""Pictures: a cent. Of a data set that came past `classifier upload` all are copied the first time."""
_PICTURES: Final = "/pictures/"


class ReviewServer:
    """The page of one desk, from `start` to `close`."""

    def __init__(self, desk: Desk) -> None:
        self._server = _Server(desk)

    @property
    def url(self) -> str:
        """The page's address, with the key."""
        return self._server.url

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(loopback.Server):
    def __init__(self, desk: Desk) -> None:
        super().__init__(_Handler)
        self.desk = desk
        self.turn = threading.Lock()
        """One decision, or one version, at a time."""


class _Handler(loopback.Handler):
    open_paths = frozenset(_FILES)
    server: _Server

    def get(self, path: str) -> None:
        desk = self.server.desk
        if path in _FILES:
            name, kind = _FILES[path]
            self.send_bytes(Path(__file__).with_name(name).read_bytes(), kind)
        elif path == "/corrections":
            self.send_json({**desk.as_json(), "dataset": desk.dataset, "classes": list(desk.classes)})
        elif path.startswith(_PICTURES):
            # The page shows it as a picture; opened by itself it is nothing that a browser would run.
            content = desk.room.picture(unquote(path.removeprefix(_PICTURES)))
            self.send_bytes(content, "application/octet-stream")
        else:
            raise _nothing()

    def post(self, path: str, asked: dict[str, Any]) -> None:
        desk = self.server.desk
        if path == "/reviews":
            answer, label = _answer(asked), asked.get("class")
            with self.server.turn:
                entry = desk.say(str(asked.get("request_id")), answer, None if label is None else str(label))
            self.send_json(dict(shown(entry)))
        elif path == "/version":
            with self.server.turn:
                self.send_json({"done": desk.apply(_few).done})
        else:
            raise _nothing()


def _answer(asked: dict[str, Any]) -> Answer:
    try:
        return Answer(str(asked.get("answer")))
    except ValueError:
        raise Refused(400, "InvalidAnswer", f"answer is one of {', '.join(Answer)}.") from None


def _few(todo: Todo) -> None:
    """Whoever presses a button is not asked what many pictures cost."""
    if len(todo.pictures) > _MOST_BY_A_BUTTON:
        raise Refused(
            409,
            "AskFirst",
            f"{todo.cost}. The command with --apply, in a terminal, asks for your agreement and does it.",
        )


def _nothing() -> Refused:
    return Refused(404, "NotFound", "There is nothing here.")
