"""Requests to the local AWS as a page on the web or a stranger on the machine would send them.

None carries this installation's secret, so each has to be refused.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

_TARGETS = {
    "lambda": ("GET", "/2015-03-31/functions/", b""),
    "s3": ("GET", "/", b""),
    "iam": ("POST", "/", b"Action=ListUsers&Version=2010-05-08"),
    "ssm": ("POST", "/", b"{}"),
}
_PAGE = "Origin: http://evil.example\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Mode: cors\r\n"
_NEIGHBOUR = "Origin: http://127.0.0.1:9999\r\nSec-Fetch-Site: same-site\r\nSec-Fetch-Mode: cors\r\n"


def intruders(port: int) -> Iterator[tuple[str, bytes]]:
    """What each is called, and its bytes."""
    host = f"127.0.0.1:{port}"
    for name, path in _ADMINISTRATION.items():
        for method in ("GET", "POST", "DELETE"):
            yield f"{method} {name}", _request(method, path, host)
    for service, (method, path, body) in _TARGETS.items():
        yield f"unsigned {service}", _request(method, path, host, body=body)
        for key, secret in (("test", "test"), ("000000000000", "test"), ("AKIAIOSFODNN7EXAMPLE", "x" * 40)):
            for signer in (SigV4Auth,) if body else (SigV4Auth, SigV4QueryAuth):
                yield f"{service} as {key} by {signer.__name__}", _signed(signer, key, secret, service, host)
        stale = datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=2)
        yield f"{service} signed two hours ago", _signed(SigV4Auth, "test", "test", service, host, stale)
    for stranger in (
        f"evil.example:{port}",
        "evil.example",
        f"127.0.0.1.evil.example:{port}",
        f"0.0.0.0:{port}",
        "127.0.0.1:1",
    ):
        yield f"host {stranger}", _request("GET", "/_ministack/health", stranger)
    for who, headers in (("a page", _PAGE), ("a neighbour", _NEIGHBOUR)):
        ask = f"{headers}Access-Control-Request-Method: PUT\r\n"
        yield f"{who}'s preflight", _request("OPTIONS", "/2015-03-31/functions", host, ask)
        form = f"{headers}Content-Type: text/plain\r\n"
        yield f"{who}'s form", _request("POST", "/", host, form, b"Action=ListUsers&Version=2010-05-08")
        picture = headers.replace("cors", "no-cors")
        yield f"{who}'s picture", _request("GET", "/_ministack/health", host, picture)
        socket = f"{headers}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        yield (
            f"{who}'s socket",
            _request("GET", "/", host, socket + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"),
        )
    role = b"Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleSessionName=x&WebIdentityToken=x"
    yield (
        "a role by a web identity",
        _request("POST", "/", host, body=role + b"&RoleArn=arn:aws:iam::000000000000:role/x"),
    )


_ADMINISTRATION = {
    "reset": "/_ministack/reset",
    "configuration": "/_ministack/config",
    "state": "/_ministack/state",
    "LocalStack's reset": "/_localstack/state/reset",
    "LocalStack's health": "/_localstack/health",
    "sent mail": "/_aws/ses",
    "queues": "/_aws/sqs/messages",
}


def _request(method: str, path: str, host: str, headers: str = "", body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _signed(
    signer: Any, key: str, secret: str, service: str, host: str, at: datetime.datetime | None = None
) -> bytes:
    method, path, body = _TARGETS[service]
    headers = {"Host": host}
    if service == "ssm":
        headers |= {
            "X-Amz-Target": "AmazonSSM.DescribeParameters",
            "Content-Type": "application/x-amz-json-1.1",
        }
    elif body:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    request = AWSRequest(method=method, url=f"http://{host}{path}", data=body, headers=headers)
    signing = signer(Credentials(key, secret), service, "us-east-1")
    signing.add_auth(request)
    if at is not None:
        stamp = at.strftime("%Y%m%dT%H%M%SZ")
        request.headers.replace_header("X-Amz-Date", stamp)
    sent = request.prepare()
    lines = {
        name: value for name, value in sent.headers.items() if name.lower() not in ("host", "content-length")
    }
    text = "".join(
        f"{name}: {value.decode() if isinstance(value, bytes) else value}\r\n"
        for name, value in lines.items()
    )
    return _request(method, sent.url.removeprefix(f"http://{host}"), host, text, body)
