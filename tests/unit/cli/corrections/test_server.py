"""The review page answers this machine's browser, and no other page that can reach it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any

import pytest

from cli.corrections.loopback import KEY
from cli.corrections.server import ReviewServer
from contract import given
from tests.unit.cli.corrections.conftest import CLASSES, Deployed


class Visitor:
    """Who asks the server, with headers as they like."""

    def __init__(self, url: str) -> None:
        address, _, self.key = url.partition("/#")
        self.host = address.removeprefix("http://")

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str | None
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=10)
        sent = {"Host": self.host, KEY: self.key} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        text = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        connection.putrequest(method, path, skip_host=True)
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        if method == "POST" and "Content-Length" not in sent:
            connection.putheader("Content-Length", str(len(text)))
        connection.endheaders(text)
        answer = connection.getresponse()
        found = answer.status, dict(answer.getheaders()), answer.read()
        connection.close()
        return found


@pytest.fixture
def visitor(deployed: Deployed) -> Iterator[Visitor]:
    deployed.give("a", said="bee")
    server = ReviewServer(deployed.desk())
    server.start()
    yield Visitor(server.url)
    server.close()


def test_the_page_is_told_what_is_kept_shows_a_picture_and_decides(
    visitor: Visitor, deployed: Deployed
) -> None:
    told = json.loads(visitor.ask("GET", "/corrections")[2])
    assert (told["dataset"], told["classes"]) == ("pets", list(CLASSES))
    assert [each["request_id"] for each in told["pictures"]] == ["a"]
    status, headers, body = visitor.ask("GET", "/pictures/a")
    assert (status, body) == (200, deployed.s3.objects[given.picture_of("a")])
    assert (headers["Content-Type"], headers["X-Content-Type-Options"]) == (
        "application/octet-stream",
        "nosniff",
    )
    status, _, body = visitor.ask("POST", "/reviews", {"request_id": "a", "answer": "sender"})
    assert json.loads(body)["decided"] == {"as": "accepted", "class": "bee", "version": ""}
    status, _, body = visitor.ask("POST", "/version", {})
    assert json.loads(body)["done"].startswith("pets@2: 1 added")


@pytest.mark.parametrize("path", ["/", "/page.js", "/page.css"])
def test_the_pages_own_files_need_no_key_and_run_nothing_else(visitor: Visitor, path: str) -> None:
    status, headers, body = visitor.ask("GET", path, **{KEY: None})
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert visitor.key.encode() not in body
    assert "Access-Control-Allow-Origin" not in headers


FOREIGN: list[dict[str, str | None]] = [
    {KEY: None},
    {KEY: "guess"},
    {"Host": "attacker.example:80"},
    {"Host": None},
    {"Origin": "http://attacker.example"},
    {"Origin": "null"},
    {"Origin": "http://127.0.0.1:1"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_whoever_else_asks_gets_and_changes_nothing(
    visitor: Visitor, deployed: Deployed, headers: dict[str, str | None]
) -> None:
    for path in ("/corrections", "/pictures/a"):
        status, _, body = visitor.ask("GET", path, **headers)
        assert (status, set(json.loads(body))) == (403, {"error"})
    status, _, _ = visitor.ask("POST", "/reviews", {"request_id": "a", "answer": "reject"}, **headers)
    assert status == 403
    assert deployed.s3.keys(f"{given.REVIEWS}/") == []


def test_two_hosts_are_none(visitor: Visitor) -> None:
    connection = http.client.HTTPConnection(visitor.host, timeout=10)
    connection.putrequest("GET", "/corrections", skip_host=True)
    for name, value in (("Host", visitor.host), ("Host", "attacker.example"), (KEY, visitor.key)):
        connection.putheader(name, value)
    connection.endheaders()
    assert connection.getresponse().status == 403
    connection.close()


def test_the_servers_own_page_is_no_other_page(visitor: Visitor) -> None:
    headers = {"Origin": f"http://{visitor.host}", "Sec_Fetch_Site": "same-origin"}
    assert visitor.ask("GET", "/corrections", **headers)[0] == 200


def test_many_pictures_are_copied_by_the_command_alone_which_asks(
    visitor: Visitor, deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.corrections.server._MOST_BY_A_BUTTON", 0)
    visitor.ask("POST", "/reviews", {"request_id": "a", "answer": "sender"})
    status, _, body = visitor.ask("POST", "/version", {})
    assert (status, json.loads(body)["error"]["code"]) == (409, "AskFirst")
    assert deployed.newest().number == 1


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/reviews", {"request_id": "a", "answer": "perhaps"}, 400),
        ("/reviews", {"request_id": "a"}, 400),
        ("/reviews", {"request_id": "b", "answer": "model"}, 400),
        ("/reviews", {"request_id": "../a", "answer": "model"}, 400),
        ("/reviews", {"request_id": "a", "answer": "class", "class": "dog"}, 400),
        ("/reviews", b"no json", 400),
        ("/reviews", b"[1]", 400),
        ("/reviews", b"x" * 9000, 413),
        ("/elsewhere", {}, 404),
    ],
)
def test_a_wrong_request_is_refused_by_name(visitor: Visitor, path: str, body: Any, status: int) -> None:
    got, _, answer = visitor.ask("POST", path, body)
    assert got == status
    assert json.loads(answer)["error"]["code"]


def test_a_body_without_a_length_is_refused(visitor: Visitor) -> None:
    assert visitor.ask("POST", "/reviews", None, Content_Length="-1")[0] == 413
    assert visitor.ask("GET", "/elsewhere")[0] == 404
