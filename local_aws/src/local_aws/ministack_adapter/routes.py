"""Where ministack's paths lead, and which of them are open.

ministack answers far more than AWS's operations, mostly without asking for a key: administration, which
deletes everything or gives out every function's code, other emulators' names for it, login pages, load
balancers, function URLs, a container registry. Nothing here uses any of it but the three below.
"""

from __future__ import annotations

import re

from local_aws.front import Place

_HEALTH = "/_ministack/health"
# A custom resource's function has a URL to answer to, with a random name, as it has on AWS.
_CALLBACK = re.compile(r"/_ministack/cfn-response/[0-9a-f-]{36}")
# /_aws/execute-api/<api>/<stage>/...: with less, ministack takes "_aws" for a bucket.
_API = re.compile(r"/_aws/execute-api/[^/]+/[^/]+(/.*)?", re.DOTALL)
_CLOSED = re.compile(
    r"/(_ministack|_localstack|_aws|_alb|oauth2|v4)(/.*)?"
    r"|/(health|login|logout)"
    r"|/v2(/|/_catalog|/.*/(blobs|manifests|tags)/.*)?"
    r"|/restapis/[^/]+/[^/]+/_user_request_(/.*)?",
    re.DOTALL,
)


def place(method: str, path: str) -> Place:
    """What a request of this method and (decoded) path reaches."""
    if _API.fullmatch(path):
        return Place.API
    if (method == "GET" and path == _HEALTH) or (method == "PUT" and _CALLBACK.fullmatch(path)):
        return Place.OPEN
    if not path.startswith("/") or _CLOSED.fullmatch(path):
        return Place.CLOSED
    return Place.SERVICE
