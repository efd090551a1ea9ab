"""What both clients know: the request, and what follows from each reply. Nothing here does IO but reading a
picture's file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from pathlib import Path
from typing import Any, Final, Self

import httpx

from classifier_client.answers import Answer
from classifier_client.errors import ApiError, NotAnswered, Refused
from classifier_client.pictures import Picture, content
from classifier_client.policy import Patience, Tries

_OUTPUTS: Final = Path(".local/outputs.json")
_MOST_SENT: Final = 10_000_000
"""Bytes: more than this API Gateway does not read to its end.
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html"""

Step = Generator[httpx.Request | float, httpx.Response | httpx.TransportError | None, Answer]
"""Gives a request to send, and is sent the reply; gives seconds to wait, and is sent nothing."""


class Asking:
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
        self._headers = {"x-api-key": key} | ({"x-sender": sender} if sender else {})

    @classmethod
    def from_outputs(cls, path: str | Path = _OUTPUTS, **more: Any) -> Self:
        """The client of a deployment that `classifier outputs` or `make demo` left a file of."""
        said: Mapping[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(said["api_url"], said["api_key"], **more)

    def steps(self, picture: Picture, top_k: int | None, explain: bool, give: bool) -> Step:
        """What is to be sent and waited for until there is an answer."""
        body, tries = _body(picture), Tries(self._patience)
        asked = {"top_k": top_k, "explain": "true" if explain else None}
        params = {name: str(value) for name, value in asked.items() if value is not None}
        headers = self._headers | {"Content-Type": "application/octet-stream"}
        headers |= {"x-give-picture": "true"} if give else {}
        while True:
            request = httpx.Request(
                "POST", f"{self._url}/classify", params=params, headers=headers, content=body
            )
            reply = yield request
            if isinstance(reply, httpx.Response) and reply.status_code == httpx.codes.OK:
                return _answer(reply)
            if isinstance(reply, httpx.Response):
                seconds = tries.after_reply(reply.status_code, reply.headers, reply.content)
            else:
                seconds = tries.after_silence(str(reply) or type(reply).__name__)
            if tries.why is not None:
                self._on_wait(tries.why, seconds)
            yield seconds


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


def _answer(reply: httpx.Response) -> Answer:
    try:
        return Answer.of(reply.json())
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        raise NotAnswered(
            200, "", f"the API gave an answer nobody here understands: {reply.text[:200]!r}"
        ) from None
