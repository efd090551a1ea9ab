"""Signatures are checked as AWS checks them: against botocore's signers, and AWS's own worked examples."""

from __future__ import annotations

import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from local_aws.front import Key, Refused, Request, bodies, signatures

HOST = "127.0.0.1:4566"
CREDENTIALS = Credentials("LOCALAWSROOT", "the/secret+of=root")
KEY = Key(CREDENTIALS.secret_key)


def received(prepared: Any) -> Request:
    """What a server sees of a request that botocore has made ready."""
    parts = urlsplit(prepared.url)
    headers = prepared.headers.items()
    lines = [(name.lower(), value if isinstance(value, str) else value.decode()) for name, value in headers]
    lines += [] if any(name == "host" for name, _ in lines) else [("host", parts.netloc)]
    return Request(prepared.method, unquote(parts.path), parts.path, parts.query, tuple(lines))


def sent(
    signer: Any,
    service: str,
    path: str = "/",
    body: bytes = b"",
    credentials: Any = CREDENTIALS,
    **options: Any,
) -> Request:
    method, headers = options.pop("method", "POST"), options.pop("headers", {})
    request = AWSRequest(method, f"http://{HOST}{path}", headers=headers, data=body)
    signer(credentials, service, "us-east-1", **options).add_auth(request)
    return received(request.prepare())


def verify(request: Request, body: bytes = b"", key: Key = KEY, now: datetime | None = None) -> None:
    """What the front does with a request of a known key."""
    signature = signatures.read(request)
    signatures.check_time(signature, now or datetime.now(UTC))
    digest = hashlib.sha256(body).hexdigest()
    said = bodies.declared(signature, request)
    signatures.check(signature, request, key, digest if said is None else said)
    if said is not None:
        bodies.check(signature, key, request, said, body, digest)


def refusal(request: Request, body: bytes = b"", **options: Any) -> str:
    with pytest.raises(Refused) as refused:
        verify(request, body, **options)
    return refused.value.code


PATHS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20).map(
    lambda text: "/" + quote(text, safe="/~")
)
QUERIES = ("", "?list-type=2&prefix=a%2Fb&delimiter=%2F", "?uploads", "?b=2&a=1&a=0", "?x=%C3%A4")


@given(path=PATHS, body=st.binary(max_size=50))
def test_what_botocore_signs_is_taken_for_every_path_and_body(path: str, body: bytes) -> None:
    for signer, service in ((SigV4Auth, "lambda"), (S3SigV4Auth, "s3")):
        verify(sent(signer, service, path, body), body)


@pytest.mark.parametrize("query", QUERIES)
def test_what_botocore_signs_is_taken_for_every_query(query: str) -> None:
    for signer, service in ((SigV4Auth, "sagemaker"), (S3SigV4Auth, "s3")):
        verify(sent(signer, service, f"/bucket/key{query}", method="GET"))


def test_a_link_is_good_until_it_runs_out() -> None:
    link = sent(S3SigV4QueryAuth, "s3", "/bucket/key", method="GET", expires=60)
    verify(link)
    verify(link, now=datetime.now(UTC) + timedelta(seconds=50))
    assert refusal(link, now=datetime.now(UTC) + timedelta(seconds=70)) == "AccessDenied"
    verify(sent(SigV4QueryAuth, "sts", "/?Action=GetCallerIdentity", method="GET", expires=60))


def test_a_link_that_was_changed_is_refused() -> None:
    link = sent(S3SigV4QueryAuth, "s3", "/bucket/key", method="GET", expires=60)
    assert refusal(dataclasses.replace(link, method="DELETE")) == "SignatureDoesNotMatch"
    assert refusal(dataclasses.replace(link, raw_path="/bucket/other")) == "SignatureDoesNotMatch"
    longer = link.query_string.replace("X-Amz-Expires=60", "X-Amz-Expires=6000")
    assert refusal(dataclasses.replace(link, query_string=longer)) == "SignatureDoesNotMatch"


def test_a_wrong_secret_is_refused() -> None:
    forged = Credentials(CREDENTIALS.access_key, "another")
    assert refusal(sent(SigV4Auth, "sts", credentials=forged)) == "SignatureDoesNotMatch"


@pytest.mark.parametrize(
    "change",
    [
        {"method": "DELETE"},
        {"raw_path": "/bucket/other"},
        {"query_string": "versionId=1"},
    ],
)
def test_a_request_that_was_changed_is_refused(change: dict[str, Any]) -> None:
    good = sent(S3SigV4Auth, "s3", "/bucket/key", b"body", method="PUT")
    verify(good, b"body")
    assert refusal(dataclasses.replace(good, **change), b"body") == "SignatureDoesNotMatch"


def test_another_body_than_the_signed_one_is_refused() -> None:
    assert refusal(sent(S3SigV4Auth, "s3", "/b/k", b"body"), b"boby") == "XAmzContentSHA256Mismatch"
    assert refusal(sent(SigV4Auth, "lambda", "/f", b"body"), b"boby") == "SignatureDoesNotMatch"


def test_only_s3_takes_a_body_that_nobody_signed() -> None:
    headers = {"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}
    request = sent(SigV4Auth, "lambda", "/f", b"body", headers=headers)
    assert refusal(request, b"body") == "InvalidArgument"


@pytest.mark.parametrize(("minutes", "code"), [(20, "RequestTimeTooSkewed"), (-20, "RequestTimeTooSkewed")])
def test_a_request_of_another_time_is_refused(minutes: int, code: str) -> None:
    request = sent(SigV4Auth, "sts")
    assert refusal(request, now=datetime.now(UTC) + timedelta(minutes=minutes)) == code


def test_a_temporary_key_is_good_with_its_token_only() -> None:
    key = Key(CREDENTIALS.secret_key, "token")
    with_token = Credentials(CREDENTIALS.access_key, CREDENTIALS.secret_key, "token")
    verify(sent(SigV4Auth, "sts", credentials=with_token), key=key)
    assert refusal(sent(SigV4Auth, "sts"), key=key) == "InvalidToken"
    assert refusal(sent(SigV4Auth, "sts", credentials=with_token)) == "InvalidToken"


def test_a_header_that_decides_has_to_be_signed() -> None:
    """A captured link must not become another service's operation."""
    link = sent(S3SigV4QueryAuth, "s3", "/bucket/key", method="GET", expires=60)
    more = (*link.lines, ("x-amz-target", "AWSEvents.PutEvents"))
    assert refusal(dataclasses.replace(link, lines=more)) == "AccessDenied"


def test_a_signature_that_two_readers_could_read_differently_is_refused() -> None:
    good = sent(SigV4Auth, "sts")
    authorization = good.headers["authorization"]

    def with_header(text: str) -> Request:
        return dataclasses.replace(
            good,
            lines=tuple((name, text if name == "authorization" else value) for name, value in good.lines),
        )

    verify(with_header(authorization))
    twice = authorization.replace(
        "AWS4-HMAC-SHA256 ", "AWS4-HMAC-SHA256 X=Credential=ROOT/1/2/3/aws4_request, "
    )
    for text in (twice, f"{authorization}, Credential=x", f" {authorization}", authorization.upper()):
        assert refusal(with_header(text)) in ("IncompleteSignature", "InvalidRequest"), text
    for text in ("AWS LOCALAWSROOT:abc=", "Bearer x", "AWS4-ECDSA-P256-SHA256 Credential=x"):
        assert refusal(with_header(text)) == "InvalidRequest", text
    both = dataclasses.replace(good, query_string="X-Amz-Credential=OTHER%2F20260101%2Fr%2Fs3%2Faws4_request")
    assert refusal(both) == "InvalidArgument"


@pytest.mark.parametrize(
    "query",
    [
        "AWSAccessKeyId=LOCALAWSROOT&Signature=x&Expires=99999999999",
        "x-amz-credential=LOCALAWSROOT/20260101/us-east-1/s3/aws4_request",
        "X-Amz-Credential=LOCALAWSROOT/20260101/us-east-1/s3/aws4_request&X-Amz-Signature=0",
        "X-Amz-Algorithm=AWS4-HMAC-SHA256",
    ],
)
def test_a_query_with_part_of_a_signature_is_refused(query: str) -> None:
    unsigned = Request("GET", "/", "/", query, (("host", HOST),))
    assert signatures.is_signed(unsigned)
    assert refusal(unsigned) in ("IncompleteSignature", "InvalidRequest")


def test_no_signature_is_said_so() -> None:
    unsigned = Request("GET", "/", "/", "", (("host", HOST),))
    assert not signatures.is_signed(unsigned)
    assert refusal(unsigned) == "MissingAuthenticationToken"


# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html#example-signature-calculations-streaming
# https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
EXAMPLE_KEY = Key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
EXAMPLE_NOW = datetime(2013, 5, 24, tzinfo=UTC)
SIGNED = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": (
        "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        (
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ),
        "",
    ),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": (
        "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
        (
            "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
            "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
            "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
        ),
        "x-amz-checksum-crc32c:sOO8/Q==\r\n"
        "x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n",
    ),
}  # fmt: skip


def example(kind: str) -> tuple[Request, bytes]:
    """AWS's upload in chunks: 65,536 and 1,024 times the letter a."""
    seed, chunks, trailer = SIGNED[kind]
    names = ["content-encoding", "host", "x-amz-content-sha256", "x-amz-date"]
    names += ["x-amz-decoded-content-length", "x-amz-storage-class"]
    more = [("content-length", "66824")] if not trailer else [("x-amz-trailer", "x-amz-checksum-crc32c")]
    names = sorted([*names, *(name for name, _ in more)])
    lines = (
        ("host", "s3.amazonaws.com"),
        ("x-amz-date", "20130524T000000Z"),
        ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
        ("x-amz-content-sha256", kind),
        ("content-encoding", "aws-chunked"),
        ("x-amz-decoded-content-length", "66560"),
        *more,
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
            f"SignedHeaders={';'.join(names)},Signature={seed}",
        ),
    )
    body = b""
    for size, signature in zip((65536, 1024, 0), chunks, strict=True):
        body += f"{size:x};chunk-signature={signature}\r\n".encode() + b"a" * size
        body += b"\r\n" if size else b""
    path = "/examplebucket/chunkObject.txt"
    return Request("PUT", path, path, "", lines), body + trailer.encode() + b"\r\n"


@pytest.mark.parametrize("kind", SIGNED)
def test_an_upload_in_signed_chunks_is_aws_s_own_example(kind: str) -> None:
    request, body = example(kind)
    verify(request, body, EXAMPLE_KEY, EXAMPLE_NOW)


@pytest.mark.parametrize("kind", SIGNED)
def test_a_chunk_that_was_changed_moved_or_left_out_is_refused(kind: str) -> None:
    request, body = example(kind)
    first = body.index(b"\r\n400;")
    for other in (
        body.replace(b"aaa\r\n400;", b"aab\r\n400;"),
        body[first + 2 :],
        body[:first],
        body[:-40] if "TRAILER" in kind else body[:first] + b"\r\n",
        body.replace(b"sOO8", b"sOO9") if "TRAILER" in kind else body + b"more",
    ):
        assert other != body
        assert refusal(request, other, key=EXAMPLE_KEY, now=EXAMPLE_NOW) == "SignatureDoesNotMatch"
