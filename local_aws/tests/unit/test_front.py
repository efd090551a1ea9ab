"""The door: who is let in, to where, and what nobody is told."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local_aws.front import Behind, Key, Refused, Request, guard
from local_aws.ministack_adapter import routes

PORT = 4566
HOST = f"127.0.0.1:{PORT}"
STAGE = "/_aws/execute-api/abc/live"
OWN, OTHER_PORT, EVIL = f"http://{HOST}", "http://127.0.0.1:8000", "https://evil.example"
ROOT = Credentials("LOCALAWSROOT", "the secret")


@dataclass
class Services:
    """What lies behind the door: it notes what reaches it and says what anybody could want to read."""

    cors: str = ""
    reached: list[dict[str, Any]] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        message = await receive()
        self.reached.append({**scope, "body": message.get("body", b"")})
        headers = [
            (b"content-type", b"text/plain"),
            (b"Access-Control-Allow-Origin", self.cors.encode() or b"*"),
        ]
        if not self.cors and scope["path"].startswith("/_aws/"):
            headers.pop()  # an API of its own says nothing that it was not told
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"secret"})


def known(access_key_id: str) -> Key:
    if access_key_id != ROOT.access_key:
        raise Refused("InvalidClientTokenId", "unknown")
    return Key(ROOT.secret_key)


def say(refused: Refused, request: Request, service: str | None) -> tuple[int, dict[str, str], bytes]:
    return refused.status, {}, refused.code.encode()


@dataclass
class Door:
    """The guarded services, and a way to knock."""

    services: Services = field(default_factory=Services)

    def knock(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> tuple[int, str, dict[str, str]]:
        path, _, query = target.partition("?")
        lines = {"host": HOST, **(headers or {})}
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in lines.items()],
        }
        parts = [body[:1], body[1:]] if body else [b""]
        incoming = [
            {"type": "http.request", "body": part, "more_body": part is not parts[-1]} for part in parts
        ]
        said: list[Any] = []

        async def receive() -> Any:
            return incoming.pop(0)

        async def send(message: Any) -> None:
            said.append(message)

        behind = Behind(self.services, routes.place, known, say)
        asyncio.run(guard(behind, PORT)(scope, receive, send))
        told = {name.decode().lower(): value.decode() for name, value in said[0]["headers"]}
        return said[0]["status"], said[1]["body"].decode(), told


@pytest.fixture
def door() -> Door:
    return Door()


def signed(
    method: str, target: str, body: bytes = b"", headers: Mapping[str, str] | None = None,
    credentials: Credentials = ROOT, service: str = "lambda",
) -> dict[str, str]:  # fmt: skip
    request = AWSRequest(method, f"http://{HOST}{target}", headers=dict(headers or {}), data=body)
    SigV4Auth(credentials, service, "us-east-1").add_auth(request)
    return {name: str(value) for name, value in request.headers.items()}


def browser(site: str, mode: str = "cors", origin: str | None = None, dest: str = "empty") -> dict[str, str]:
    found = {"sec-fetch-site": site, "sec-fetch-mode": mode, "sec-fetch-dest": dest}
    return {**found, "origin": origin} if origin else found


FOREIGN = [
    browser("cross-site", "cors", EVIL),
    browser("cross-site", "no-cors"),
    browser("cross-site", "no-cors", EVIL, "script"),
    browser("same-site", "cors", OTHER_PORT),
    browser("same-site", "no-cors", None, "image"),
    browser("cross-site", "cors", "null"),
    browser("same-origin", "cors", EVIL),
    browser("cross-site", "navigate", None, "iframe"),
    browser("none", "cors", EVIL),
    {"origin": EVIL},
    {"origin": "null"},
    {"origin": f"http://localhost:{PORT}"},
    {"origin": f"https://{HOST}"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-dest": "image"},
    {"sec-fetch-mode": "navigate"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", f"{STAGE}/"), ("POST", f"{STAGE}/classify"), ("PUT", "/b/k")]
)
def test_a_foreign_page_reaches_nothing(door: Door, headers: dict[str, str], method: str, path: str) -> None:
    for each in (headers, signed(method, path, headers=headers)):
        status, _, told = door.knock(method, path, each)
        assert status == 403
        assert "access-control-allow-origin" not in told
    asked = [scope["method"] for scope in door.services.reached]
    assert set(asked) <= {"OPTIONS"}, "no more than the API's own word on CORS was asked for"


def test_a_form_of_a_foreign_page_is_not_sent_on(door: Door) -> None:
    form = browser("same-site", "navigate", OTHER_PORT, "document")
    assert door.knock("POST", f"{STAGE}/classify", form, b"x")[0] == 403
    assert door.services.reached == []


@pytest.mark.parametrize(
    "host",
    [
        *("", "127.0.0.1", "127.0.0.1:80", f"127.0.0.1:{PORT}0", f"127.0.0.2:{PORT}", f"127.0.0.1.:{PORT}"),
        *("evil.example", f"evil.example:{PORT}", f"bucket.localhost:{PORT}", f"{HOST}, evil.example"),
        f"abc.execute-api.localhost:{PORT}",
    ],
)
def test_a_name_that_was_made_to_point_here_is_refused(door: Door, host: str) -> None:
    for path in (f"{STAGE}/", "/_ministack/health", "/"):
        assert door.knock("GET", path, {"host": host})[0] == 403
    assert door.services.reached == []


@pytest.mark.parametrize("host", [HOST, f"localhost:{PORT}", f"LOCALHOST:{PORT}", f"[::1]:{PORT}"])
def test_loopback_by_any_of_its_names_is_answered(door: Door, host: str) -> None:
    assert door.knock("GET", "/_ministack/health", {"host": host})[0] == 200


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET", browser("none", "navigate", None, "document")),
        ("GET", browser("cross-site", "navigate", None, "document")),
        ("GET", browser("same-origin", "cors")),
        ("POST", browser("same-origin", "cors", OWN)),
        ("POST", {"origin": OWN}),
        ("POST", {}),
        ("POST", {"sec-fetch-mode": "cors"}),  # Node's fetch
    ],
)
def test_a_link_to_the_page_the_page_itself_and_programs_reach_the_api(
    door: Door, method: str, headers: dict[str, str]
) -> None:
    assert door.knock(method, f"{STAGE}/classify", headers, b"picture")[:2] == (200, "secret")
    assert door.services.reached[0]["body"] in (b"p", b"picture")


@pytest.mark.parametrize("headers", [browser("none", "navigate", None, "document"), browser("same-origin")])
def test_a_browser_reaches_no_service_even_from_our_own_page(door: Door, headers: dict[str, str]) -> None:
    for path in ("/bucket/key", "/_ministack/health"):
        assert door.knock("GET", path, signed("GET", path, headers=headers))[0] == 403
    assert door.services.reached == []


def test_an_api_s_own_cors_configuration_lets_its_one_site_in(door: Door) -> None:
    door.services.cors = EVIL
    asked = door.knock("OPTIONS", f"{STAGE}/classify", browser("cross-site", "cors", EVIL))
    assert (asked[0], asked[2]["access-control-allow-origin"]) == (200, EVIL)
    answer = door.knock("POST", f"{STAGE}/classify", browser("cross-site", "cors", EVIL))
    assert (answer[0], answer[2]["access-control-allow-origin"]) == (200, EVIL)
    for other in (browser("same-site", "cors", OTHER_PORT), browser("cross-site", "no-cors", EVIL)):
        assert door.knock("POST", f"{STAGE}/classify", other)[0] == 403


def test_no_service_s_answer_may_be_read_by_a_page(door: Door) -> None:
    headers = signed("PUT", "/bucket/key", b"body", service="s3")
    status, _, told = door.knock("PUT", "/bucket/key", headers, b"body")
    assert status == 200
    assert not [name for name in told if name.startswith("access-control-")]


def test_a_preflight_for_a_service_is_refused(door: Door) -> None:
    status, _, told = door.knock("OPTIONS", "/", {"origin": EVIL, "access-control-request-method": "PUT"})
    assert (status, "access-control-allow-origin" in told) == (403, False)


@pytest.mark.parametrize(
    "path", ["/", "/bucket", "/bucket/key", "/2015-03-31/functions", "/v2/apis", "/_aws/execute-api/a"]
)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "HEAD", "OPTIONS"])
def test_an_unsigned_request_reaches_no_service(door: Door, method: str, path: str) -> None:
    assert door.knock(method, path, body=b"Action=ListUsers")[0] == 403
    assert door.services.reached == []


CLOSED = [
    "/_ministack",
    "/_ministack/reset",
    "/_ministack%2Freset",
    "/_ministack/config",
    "/_ministack/ready",
    "/_ministack/rds/iam-auth",
    "/_ministack/lambda-code/hello",
    "/_ministack/lambda-layers/a/1/content",
    "/_ministack/sqs/messages",
    "/_ministack/ses/messages",
    "/_ministack/sns/sms-messages",
    "/_ministack/cfn-signal/x",
    "/_ministack/cfn-response/x",
    "/_ministack/eks-auth/x",
    "/_ministack/iot/ca.pem",
    "/_ministack/transfer/sftp-ports",
    "/_localstack/health",
    "/health",
    "/_aws/lambda-url/abc/",
    "/_aws/execute-api",
    "/_aws/execute-api//live/",
    "/_aws/execute-api/abc",
    "/_alb/x/y",
    "/oauth2/token",
    "/oauth2/authorize",
    "/oauth2/userInfo",
    "/login",
    "/logout",
    "/v4/token1234/task",
    "/v2",
    "/v2/",
    "/v2/_catalog",
    "/v2/image/manifests/latest",
    "/v2/image/blobs/x",
    "/v2/image/tags/list",
    "/restapis/abc/live/_user_request_/classify",
]


@pytest.mark.parametrize("path", CLOSED)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_what_nobody_here_uses_is_closed_also_to_who_signs(door: Door, method: str, path: str) -> None:
    for headers in ({}, signed(method, path)):
        assert door.knock(method, path, headers)[0] == 403
    assert door.services.reached == []


def test_a_custom_resource_s_function_may_answer_without_a_key(door: Door) -> None:
    path = "/_ministack/cfn-response/0123abcd-0000-4000-8000-000000000000"
    assert door.knock("PUT", path, body=b"{}")[0] == 200
    assert door.knock("GET", path)[0] == 403
    assert door.knock("PUT", path, browser("cross-site", "cors", EVIL))[0] == 403


def test_a_signed_request_comes_through_whole(door: Door) -> None:
    assert door.knock("POST", "/f?a=1", signed("POST", "/f?a=1", b"body"), b"body")[0] == 200
    (reached,) = door.services.reached
    assert (reached["body"], reached["query_string"]) == (b"body", b"a=1")


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        (Credentials(ROOT.access_key, "another"), "SignatureDoesNotMatch"),
        (Credentials("test", "test"), "InvalidClientTokenId"),
        (Credentials("000000000000", "x"), "InvalidClientTokenId"),
        (Credentials(ROOT.access_key, ROOT.secret_key, "token"), "InvalidToken"),
    ],
)
def test_who_does_not_know_the_secret_is_refused(door: Door, credentials: Credentials, code: str) -> None:
    headers = signed("POST", "/f", b"body", credentials=credentials)
    assert door.knock("POST", "/f", headers, b"body")[:2] == (403, code)
    assert door.services.reached == []


def test_another_body_than_the_signed_one_is_refused(door: Door) -> None:
    assert door.knock("POST", "/f", signed("POST", "/f", b"body"), b"boby")[:2] == (
        403,
        "SignatureDoesNotMatch",
    )
    headers = signed("PUT", "/b/k", headers={"x-amz-content-sha256": "0" * 64}, service="s3")
    assert door.knock("PUT", "/b/k", headers, b"body")[:2] == (400, "XAmzContentSHA256Mismatch")
    assert door.services.reached == []


@pytest.mark.parametrize("secret", [ROOT.secret_key, "another"])
def test_to_an_api_a_signature_that_does_not_hold_is_none(door: Door, secret: str) -> None:
    path = f"{STAGE}/classify?top=3"
    headers = signed(
        "POST", path, b"body", credentials=Credentials(ROOT.access_key, secret), service="execute-api"
    )
    assert door.knock("POST", path, headers, b"body")[0] == 200
    (reached,) = door.services.reached
    kept = any(name == b"authorization" for name, _ in reached["headers"])
    assert kept is (secret == ROOT.secret_key)
    assert (reached["body"], reached["query_string"]) == (b"body", b"top=3")


def test_a_query_that_names_a_key_without_signing_reaches_an_api_without_it(door: Door) -> None:
    claim = f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={ROOT.access_key}%2F1%2F2%2F3%2Faws4_request"
    assert door.knock("POST", f"{STAGE}/classify?top=3&{claim}", body=b"body")[0] == 200
    (reached,) = door.services.reached
    assert (reached["query_string"], reached["body"]) == (b"top=3", b"b")


def test_a_web_socket_is_closed_before_anybody_hears_of_it(door: Door) -> None:
    said: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        said.append(message)

    scope = {"type": "websocket", "path": f"{STAGE}/", "headers": [(b"host", HOST.encode())]}
    asyncio.run(guard(Behind(door.services, routes.place, known, say), PORT)(scope, receive, send))
    assert [message["type"] for message in said] == ["websocket.close"]
    assert door.services.reached == []
