"""What both clients know: the requests, what follows from each reply, and when to ask again.

How a request is sent and how a while passes each client says itself. It is written down once for both: the
client that blocks gives coroutines which never wait, and so run to their end at once (`at_once`).
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import httpx

from classifier_client.answers import Answer
from classifier_client.errors import ApiError, NotAnswered, Refused
from classifier_client.pictures import Picture, content
from classifier_client.policy import Patience, Tries

_OUTPUTS: Final = Path(".local/outputs.json")
_MOST_SENT: Final = 10_000_000
"""Bytes: more than this API Gateway does not read to its end.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html"""

Read = TypeVar("Read")


class Asking(ABC):
    """A deployed classifier and how it is asked."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        patience: Patience | None = None,
        sender: str = "",
        auth: httpx.Auth | None = None,
        on_wait: Callable[[ApiError, float], None] = lambda why, seconds: None,
    ) -> None:
        """Ask the API at `url` with an API key; `classifier outputs` prints both.

        Args:
            patience: how long to wait for a service that is busy or asleep.
            sender: a random word for whoever sends, beside the pictures that are given (docs/corrections.md).
            auth: signs the requests, where the API asks for a signature.
            on_wait: called before every wait with its reason and its seconds, perhaps by several threads.
        """
        self._url, self._patience, self._auth = url.rstrip("/"), patience or Patience(), auth
        self._on_wait = on_wait
        # AWS's managed rules (the setting api.waf) refuse a request that does not say what sends it.
        who = {"user-agent": "classifier-client"} | ({"x-sender": sender} if sender else {})
        self._headers = {"x-api-key": key} | who

    @classmethod
    def from_outputs(cls, path: str | Path = _OUTPUTS, **more: Any) -> Self:
        """The client of a deployment that `classifier outputs` or `make demo` left a file of."""
        said: Mapping[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(said["api_url"], said["api_key"], **more)

    @abstractmethod
    async def _send(self, request: httpx.Request) -> httpx.Response:
        """The reply. Raises httpx.TransportError where none comes."""

    @abstractmethod
    async def _pause(self, seconds: float) -> None:
        """Let so much time pass."""

    async def _classify(self, picture: Picture, top_k: int | None, explain: bool, give: bool) -> Answer:
        asked = {"top_k": top_k, "explain": "true" if explain else None}
        headers = {"Content-Type": "application/octet-stream"} | ({"x-give-picture": "true"} if give else {})
        request = {
            "params": {name: str(value) for name, value in asked.items() if value is not None},
            "headers": self._headers | headers,
            "content": _body(picture),
        }
        return await self._ask("POST", "classify", request, Answer.of, self._patience)

    async def _get(self, path: str, read: Callable[[Any], Read]) -> Read:
        """What a path tells. No sleeping model is waited for, as only pictures wake one."""
        patience = replace(self._patience, asleep=0)
        return await self._ask("GET", path, {"headers": self._headers}, read, patience)

    async def _ask(
        self,
        method: str,
        path: str,
        request: Mapping[str, Any],
        read: Callable[[Any], Read],
        patience: Patience,
    ) -> Read:
        """Ask until there is an answer, or patience is over."""
        tries = Tries(patience)
        while True:
            try:
                reply = await self._send(httpx.Request(method, f"{self._url}/{path}", **request))
            except httpx.TransportError as error:
                seconds = tries.after_silence(str(error) or type(error).__name__)
            else:
                if reply.status_code == httpx.codes.OK:
                    return _understood(reply, read)
                seconds = tries.after_reply(reply.status_code, reply.headers, reply.content)
            if tries.why is not None:
                self._on_wait(tries.why, seconds)
            await self._pause(seconds)


def at_once(work: Coroutine[Any, Any, Read]) -> Read:
    """What a coroutine that never waits comes to."""
    try:
        work.send(None)
    except StopIteration as done:
        result: Read = done.value
        return result
    raise AssertionError("it waits for something")


def _body(picture: Picture) -> bytes:
    body = content(picture)
    if len(body) > _MOST_SENT:
        raise Refused(
            413,
            "PayloadTooLarge",
            f"The picture has {len(body) / 1e6:.1f} MB, more than any API takes. Send a smaller one: the "
            "model looks at a few hundred pixels a side.",
        )
    return body


def _understood(reply: httpx.Response, read: Callable[[Any], Read]) -> Read:
    try:
        return read(reply.json())
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        raise NotAnswered(
            200, "", f"the API gave an answer nobody here understands: {reply.text[:200]!r}"
        ) from None
