"""Asks a container registry which image a tag stands for today.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md, with the anonymous token that public
registries want: https://distribution.github.io/distribution/spec/auth/token/
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final
from urllib.error import HTTPError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

_INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_ARCHITECTURES: Final = {"amd64", "arm64"}
_REFERENCE = re.compile(
    r"(?P<registry>[^/\s]+\.[^/\s]+|localhost:\d+)/(?P<repository>[^:@\s]+):(?P<tag>[\w.-]+)(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_SECONDS: Final = 20


class NoDigest(Exception):
    """The registry did not say which image it is; the message says why."""


@dataclass(frozen=True)
class Reference:
    """An image's name: ``registry/repository:tag@sha256:...``."""

    registry: str
    repository: str
    tag: str
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        found = _REFERENCE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no registry/repository:tag or registry/repository:tag@sha256:...")
        return cls(found["registry"], found["repository"], found["tag"], found["digest"] or "")

    def __str__(self) -> str:
        name = f"{self.registry}/{self.repository}:{self.tag}"
        return f"{name}@{self.digest}" if self.digest else name


def digest(image: Reference) -> str:
    """The digest of the index of a tag, which has an image for x86-64 and one for arm64.

    Raises NoDigest where the registry does not answer or has no such image.
    """
    try:
        body, kind = _manifest(image)
        platforms = [each.get("platform", {}) for each in json.loads(body).get("manifests", [])]
    except (OSError, ValueError, KeyError) as error:  # HTTPError and URLError are OSErrors
        raise NoDigest(f"{image.registry} did not answer for {image.tag}: {error}") from error
    if kind not in _INDEXES:
        raise NoDigest(f"{image.tag} is an image of one architecture ({kind}), not an index of several")
    missing = _ARCHITECTURES - {each.get("architecture") for each in platforms if each.get("os") == "linux"}
    if missing:
        raise NoDigest(f"{image.tag} has no image for {', '.join(sorted(missing))}")
    # Of the bytes, as who pulls by it will take it; a header might say anything.
    return "sha256:" + hashlib.sha256(body).hexdigest()


def _manifest(image: Reference) -> tuple[bytes, str]:
    scheme = "http" if re.match(r"(127\.0\.0\.1|localhost)(:|$)", image.registry) else "https"
    url = f"{scheme}://{image.registry}/v2/{image.repository}/manifests/{image.tag}"
    try:
        return _get(url)
    except HTTPError as refusal:
        if refusal.code != 401:
            raise
        return _get(url, _token(refusal.headers.get("WWW-Authenticate", "")))


def _token(challenge: str) -> str:
    """What a registry's ``Bearer realm="...",service="...",scope="..."`` gives to anybody."""
    asked = dict(_CHALLENGE.findall(challenge))
    realm = asked.pop("realm", "")
    if urlsplit(realm).scheme not in ("http", "https"):
        raise ValueError(f"it wants a login of a kind unknown here ({challenge})")
    with _open(Request(f"{realm}?{urlencode(asked)}")) as answer:  # noqa: S310 - checked above
        document = json.loads(answer.read())
    return str(document.get("token") or document["access_token"])


def _get(url: str, token: str = "") -> tuple[bytes, str]:
    headers = {"Accept": ", ".join(_INDEXES)} | ({"Authorization": f"Bearer {token}"} if token else {})
    with _open(Request(url, headers=headers)) as answer:  # noqa: S310 - http or https by construction
        return answer.read(), answer.headers.get_content_type()


def _open(request: Request) -> Any:
    return urlopen(request, timeout=_SECONDS)  # noqa: S310
