"""Loopback goes past every proxy, in this process and in all that it starts."""

from __future__ import annotations

import urllib.request

import pytest
from botocore.utils import get_environ_proxies

from cli.target import spare_loopback
from local_aws.core import proxies as server_proxies

PROXIES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


@pytest.mark.parametrize("given", [{}, {"NO_PROXY": "a.example"}, {"no_proxy": "a.example, b.example"}])
@pytest.mark.parametrize("spare", [spare_loopback, server_proxies.spare_loopback])
def test_loopback_is_spared_beside_what_the_user_spares(
    given: dict[str, str], spare: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = dict(given)
    spare(environment)  # type: ignore[operator]
    for name in PROXIES:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, environment[name])
    for host in ("127.0.0.1:4566", "localhost:4566", *(["a.example"] if given else [])):
        assert urllib.request.proxy_bypass(host)
        assert get_environ_proxies(f"http://{host}") == {}
    assert not urllib.request.proxy_bypass("pypi.org")
    spare(environment)  # type: ignore[operator]
    assert environment["no_proxy"].count("127.0.0.1") == 1
