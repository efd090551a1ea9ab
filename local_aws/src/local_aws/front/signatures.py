"""AWS Signature Version 4, in the header and in the query: read strictly, checked for every key.

Only what is spelled exactly as AWS's own clients spell it is read at all. Whoever reads the request after us
must find the same key in it: a header that two readers understand differently is a way in.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import quote

from local_aws.front.refusal import Refused, incomplete, mismatch
from local_aws.front.request import Request

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED = "UNSIGNED-PAYLOAD"
_SCOPE = (
    r"(?P<key>[A-Za-z0-9_]{1,128})/(?P<day>[0-9]{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)"
    "/aws4_request"
)
_HEADER = re.compile(
    rf"{ALGORITHM} Credential={_SCOPE}, ?"
    r"SignedHeaders=(?P<signed>[a-z0-9;_.-]+), ?Signature=(?P<value>[0-9a-f]{64})"
)
_CREDENTIAL = re.compile(_SCOPE)
_QUERY_NAMES = ("Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature")
# By these names, in any case, somebody after us could read a key out of the query.
_MARKS = {"x-amz-algorithm", "x-amz-credential", "x-amz-signature", "awsaccesskeyid"}
_TIME = re.compile(r"[0-9]{8}T[0-9]{6}Z")
# How far a client's clock may be from ours, and how long a link may be good.
_SKEW = timedelta(minutes=15)
_LONGEST = 7 * 24 * 3600
_SAFE = "-_.~"


@dataclass(frozen=True)
class Key:
    """What is known of an access key: its secret, and the token that a temporary one comes with."""

    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Signature:
    """A signature and what it says about itself."""

    key_id: str
    day: str
    region: str
    service: str
    signed: tuple[str, ...]
    value: str
    time: str
    token: str
    lifetime: int | None = None
    """Seconds that a link is good for; None for a signature in the header."""

    @property
    def scope(self) -> str:
        """The scope that the signing key is good for."""
        return f"{self.day}/{self.region}/{self.service}/aws4_request"


def is_signed(request: Request) -> bool:
    """Whether a request carries credentials of AWS's kind, good or bad."""
    return request.headers.get("authorization", "").startswith("AWS") or _is_queried(request)


def is_mark(name: str) -> bool:
    """Whether a query parameter of that name is, or could be read as, a part of a signature."""
    return name.lower() in _MARKS


def _is_queried(request: Request) -> bool:
    return any(is_mark(name) for name, _ in request.query)


def read(request: Request) -> Signature:
    """The request's one signature. Raises Refused if there is none, two, or one of another kind."""
    queried = _is_queried(request)
    if "authorization" not in request.headers:
        if queried:
            return _from_query(request)
        raise Refused("MissingAuthenticationToken", "Request is missing Authentication Token")
    if queried:
        raise Refused("InvalidArgument", "Only one auth mechanism allowed", 400)
    found = _HEADER.fullmatch(request.headers["authorization"])
    if found is None and not request.headers["authorization"].startswith(f"{ALGORITHM} "):
        raise _unsupported()
    if found is None:
        raise incomplete(
            f"The Authorization header is not one signature of {ALGORITHM}, complete and in order."
        )
    return _made(
        found,
        tuple(found["signed"].split(";")),
        found["value"],
        request.headers.get("x-amz-date", ""),
        request.headers.get("x-amz-security-token", ""),
    )


def _from_query(request: Request) -> Signature:
    if any(name.lower() == "awsaccesskeyid" for name, _ in request.query):
        raise _unsupported()
    given: dict[str, str] = {}
    for name, value in request.query:
        if name.lower() in given or (is_mark(name) and name not in _spelled()):
            raise incomplete(f"The query says {name} twice, or spells it as no client does.")
        if name.lower().startswith("x-amz-"):
            given[name.lower()] = value
    parts = {name: given.get(f"x-amz-{name.lower()}", "") for name in _QUERY_NAMES}
    missing = [f"X-Amz-{name}" for name, value in parts.items() if not value]
    if missing:
        raise incomplete(f"The query has to say {', '.join(missing)}.")
    found = _CREDENTIAL.fullmatch(parts["Credential"])
    if found is None or parts["Algorithm"] != ALGORITHM:
        raise incomplete(f"The query is not signed with {ALGORITHM}.")
    if not re.fullmatch("[0-9]{1,6}", parts["Expires"]) or not 1 <= int(parts["Expires"]) <= _LONGEST:
        raise Refused("AuthorizationQueryParametersError", f"X-Amz-Expires is 1 to {_LONGEST} seconds", 400)
    signed = tuple(parts["SignedHeaders"].split(";"))
    token = given.get("x-amz-security-token", "")
    return _made(found, signed, parts["Signature"], parts["Date"], token, int(parts["Expires"]))


def _unsupported() -> Refused:
    """As S3 answers Signature Version 2, which boto3 still makes links by unless it is told `s3v4`."""
    message = f"The authorization mechanism you have provided is not supported. Please use {ALGORITHM}."
    return Refused("InvalidRequest", message, 400)


def _spelled() -> set[str]:
    return {f"X-Amz-{name}" for name in _QUERY_NAMES}


def _made(
    found: re.Match[str],
    signed: tuple[str, ...],
    value: str,
    time: str,
    token: str,
    lifetime: int | None = None,
) -> Signature:
    if not _TIME.fullmatch(time):
        raise incomplete("X-Amz-Date has to say when the request was signed, as 20260131T120000Z.")
    if time[:8] != found["day"]:
        raise Refused(
            "SignatureDoesNotMatch", "The credential is scoped to another day than the date of the request."
        )
    return Signature(
        found["key"], found["day"], found["region"], found["service"], signed, value, time, token, lifetime
    )  # fmt: skip


def check_time(signature: Signature, now: datetime) -> None:
    """Refused if the signature was made too far from now, or its link has run out."""
    try:
        made = datetime.fromisoformat(signature.time)
    except ValueError as error:
        raise incomplete(f"{signature.time} is no time.") from error
    if made > now + _SKEW:
        raise Refused(
            "RequestTimeTooSkewed", f"The request is signed for {signature.time}, which is not yet."
        )
    if signature.lifetime is not None:
        if now > made + timedelta(seconds=signature.lifetime):
            raise Refused("AccessDenied", "Request has expired")
    elif made < now - _SKEW:
        raise Refused("RequestTimeTooSkewed", f"The request was signed at {signature.time}: too long ago.")


def check(signature: Signature, request: Request, key: Key, payload_hash: str) -> None:
    """Refused unless the key made this signature for this request with this hash of its payload."""
    if not hmac.compare_digest((key.token or "").encode(), signature.token.encode()):
        raise Refused("InvalidToken", "The security token included in the request is invalid.")
    _check_headers(signature, request)
    text = string_to_sign(signature, canonical(signature, request, payload_hash))
    if not hmac.compare_digest(sign(signature, key, text), signature.value):
        raise mismatch()


def _check_headers(signature: Signature, request: Request) -> None:
    """What decides about a request must be signed: an unsigned header could make another request of it."""
    unsigned = [
        name
        for name in request.headers
        if name not in signature.signed and (name == "host" or name.startswith("x-amz-"))
    ]
    if unsigned:
        raise Refused(
            "AccessDenied", f"There were headers present which were not signed: {', '.join(unsigned)}"
        )


def canonical(signature: Signature, request: Request, payload_hash: str) -> str:
    """The canonical request."""
    path = request.raw_path
    if signature.service != "s3":  # all others sign the normalised path, encoded once more
        path = quote(_normalised(path), safe=f"/{_SAFE}")
    pairs = sorted(
        (quote(name, safe=_SAFE), quote(value, safe=_SAFE))
        for name, value in request.query
        if signature.lifetime is None or name != "X-Amz-Signature"
    )
    headers = request.headers
    lines = "".join(f"{name}:{' '.join(headers.get(name, '').split())}\n" for name in signature.signed)
    query = "&".join(f"{name}={value}" for name, value in pairs)
    return f"{request.method}\n{path}\n{query}\n{lines}\n{';'.join(signature.signed)}\n{payload_hash}"


def string_to_sign(signature: Signature, canonical_request: str) -> str:
    """What is signed."""
    digest = hashlib.sha256(canonical_request.encode()).hexdigest()
    return f"{ALGORITHM}\n{signature.time}\n{signature.scope}\n{digest}"


def sign(signature: Signature, key: Key, text: str) -> str:
    """The signature of a text in this signature's scope, as hexadecimal."""
    signing_key = _signing_key(key.secret, signature.day, signature.region, signature.service)
    return hmac.new(signing_key, text.encode(), hashlib.sha256).hexdigest()


@functools.lru_cache(maxsize=256)
def _signing_key(secret: str, *scope: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (*scope, "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


def _normalised(path: str) -> str:
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part and part != ".":
            parts.append(part)
    return f"/{'/'.join(parts)}{'/' if path.endswith('/') and parts else ''}"
