"""The deployed API's client for a command: its address, its key, a signature where the API asks for one, and
what is said of its errors.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any, Final, TypeVar

import httpx

from classifier_client import ApiError, AsyncClient, Client, Patience
from classifier_client.errors import SLEEPING
from cli.console import say
from cli.target import Target

AnyClient = TypeVar("AnyClient", Client, AsyncClient)
NO_PATIENCE: Final = Patience(busy=0, asleep=0)
"""Of who asks again by himself."""
_SIGNED: Final = ("x-api-key", "content-type")
"""Headers that nothing on the way changes, of those that a request has."""


class Signature(httpx.Auth):
    """Signs requests with the target's credentials."""

    requires_request_body = True

    def __init__(self, target: Target) -> None:
        self._target = target

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        headers = {name: request.headers[name] for name in _SIGNED if name in request.headers}
        url = str(request.url)
        signed = self._target.signed("execute-api", request.method, url, headers, request.content)
        request.headers.update(signed)
        yield request


def client(kind: type[AnyClient], target: Target, outputs: Mapping[str, Any], **more: Any) -> AnyClient:
    """A client of the API that `outputs` (cli.outputs.read) tells of.

    Args:
        more: as the client takes it.
    """
    auth = Signature(target) if outputs.get("api_signed") else None
    return kind(outputs["api_url"], outputs["api_key"], auth=auth, **more)


def in_words(error: ApiError, target: Target) -> str:
    """An error for people, with the remedy where the API cannot say it itself."""
    nobody = error.status == 0 and target.is_local
    return f"{error}. Is the local AWS up? Run `make up`." if nobody else str(error)


def telling_waits(patience: Patience) -> Callable[[ApiError, float], None]:
    """What says once that a model is waited for, and once that a busy service is."""
    told = set()

    def tell(why: ApiError, seconds: float) -> None:
        asleep = why.code in SLEEPING
        if asleep not in told:
            longest = patience.asleep if asleep else patience.busy
            say(f"{why.message.rstrip('.')}. Waiting, at most {longest / 60:.0f} min.", style="yellow")
        told.add(asleep)

    return tell
