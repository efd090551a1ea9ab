"""The two clients, which differ in how they wait."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, overload

import httpx

from classifier_client.answers import Answer
from classifier_client.errors import NotAnswered
from classifier_client.pictures import Picture, content
from classifier_client.policy import Patience, Tries

_OUTPUTS: Final = Path(".local/outputs.json")
_TIMEOUT: Final = 60.0
"""Seconds for one try: API Gateway gives up after 29."""

Step = Generator[httpx.Request | float, httpx.Response | httpx.TransportError | None, Answer]
"""Gives a request to send, and is sent the reply; gives seconds to wait, and is sent nothing."""


class _Asking:
    """What both clients know."""

    def __init__(
        self,
        url: str,
        key: str,
        *,
        patience: Patience | None = None,
        sender: str = "",
        auth: httpx.Auth | None = None,
    ) -> None:
        """Ask the API at `url` with an API key; `classifier outputs` prints both.

        Args:
            patience: how long to wait for a service that is busy or asleep.
            sender: a random word for whoever sends, beside the pictures that are given (docs/corrections.md).
            auth: signs the requests, where the API asks for a signature.
        """
        self._url, self._patience, self._auth = url.rstrip("/"), patience or Patience(), auth
        self._headers = {"x-api-key": key} | ({"x-sender": sender} if sender else {})

    @classmethod
    def from_outputs(cls, path: str | Path = _OUTPUTS, **more: Any) -> Self:
        """The client of a deployment that `classifier outputs` or `make demo` left a file of."""
        said: Mapping[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
        return cls(said["api_url"], said["api_key"], **more)

    def _steps(self, picture: Picture, top_k: int | None, explain: bool, give: bool) -> Step:
        body, tries = content(picture), Tries(self._patience)
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
            yield seconds


class Client(_Asking):
    """Asks and waits. It may be used by several threads."""

    def __init__(self, url: str, key: str, **more: Any) -> None:
        super().__init__(url, key, **more)
        self._http = httpx.Client(timeout=_TIMEOUT, auth=self._auth)

    __init__.__doc__ = _Asking.__init__.__doc__

    @overload
    def classify(
        self, picture: list[Picture], *, top_k: int | None = None, explain: bool = False, give: bool = False
    ) -> list[Answer]: ...
    @overload
    def classify(
        self, picture: Picture, *, top_k: int | None = None, explain: bool = False, give: bool = False
    ) -> Answer: ...
    def classify(
        self, picture: Any, *, top_k: int | None = None, explain: bool = False, give: bool = False
    ) -> Any:
        """What is on a picture; of a list, on each, asked eight at a time.

        Args:
            picture: a path, a file's bytes, a Pillow image, an array (height, width, 3) of uint8, or a list.
            top_k: how many classes to name; None: five.
            explain: whether to tell where the class was seen.
            give: whether you agree that the picture is kept so that the model gets better.

        Raises:
            Refused: the request is at fault.
            NotAnswered: the service did not answer in time.
            NotAPicture: see `Picture`.
        """
        if isinstance(picture, list):
            with ThreadPoolExecutor(8) as pool:
                return list(pool.map(lambda each: self._one(each, top_k, explain, give), picture))
        return self._one(picture, top_k, explain, give)

    def model(self) -> Mapping[str, Any]:
        """Which model serves (`GET /model`)."""
        reply = self._http.get(f"{self._url}/model")
        reply.raise_for_status()
        said: Mapping[str, Any] = reply.json()
        return said

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def _one(self, picture: Picture, top_k: int | None, explain: bool, give: bool) -> Answer:
        steps = self._steps(picture, top_k, explain, give)
        reply: httpx.Response | httpx.TransportError | None = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as done:
                answer: Answer = done.value
                return answer
            reply = None
            if isinstance(step, float):
                time.sleep(step)
                continue
            try:
                reply = self._http.send(step)
            except httpx.TransportError as error:
                reply = error


class AsyncClient(_Asking):
    """The same for asyncio."""

    def __init__(self, url: str, key: str, **more: Any) -> None:
        super().__init__(url, key, **more)
        self._http = httpx.AsyncClient(timeout=_TIMEOUT, auth=self._auth)

    __init__.__doc__ = _Asking.__init__.__doc__

    async def classify(
        self, picture: Any, *, top_k: int | None = None, explain: bool = False, give: bool = False
    ) -> Any:
        """As `Client.classify`."""
        if isinstance(picture, list):
            room = asyncio.Semaphore(8)

            async def one(each: Picture) -> Answer:
                async with room:
                    return await self._one(each, top_k, explain, give)

            return await asyncio.gather(*map(one, picture))
        return await self._one(picture, top_k, explain, give)

    async def aclose(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _one(self, picture: Picture, top_k: int | None, explain: bool, give: bool) -> Answer:
        steps = self._steps(picture, top_k, explain, give)
        reply: httpx.Response | httpx.TransportError | None = None
        while True:
            try:
                step = steps.send(reply)
            except StopIteration as done:
                answer: Answer = done.value
                return answer
            reply = None
            if isinstance(step, float):
                await asyncio.sleep(step)
                continue
            try:
                reply = await self._http.send(step)
            except httpx.TransportError as error:
                reply = error


def _answer(reply: httpx.Response) -> Answer:
    try:
        return Answer.of(reply.json())
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise NotAnswered(
            200, "", f"the API gave an answer nobody here understands: {reply.text[:200]!r}"
        ) from None
