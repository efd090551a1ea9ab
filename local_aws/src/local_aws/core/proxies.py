"""Keeps proxies of the environment out of requests to this machine."""

from __future__ import annotations

import urllib.request
from collections.abc import MutableMapping

LOOPBACK = ("127.0.0.1", "localhost", "::1")
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def spare_loopback(environment: MutableMapping[str, str]) -> None:
    """Adds the loopback addresses to what goes past the environment's proxies, for whoever runs in it."""
    listed = [environment.get(name, "") for name in ("NO_PROXY", "no_proxy")]
    hosts = [host.strip() for host in ",".join(listed).split(",")]
    environment["NO_PROXY"] = environment["no_proxy"] = ",".join(
        dict.fromkeys(filter(None, [*hosts, *LOOPBACK]))
    )
