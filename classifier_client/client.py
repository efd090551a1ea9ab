"""The two clients, which differ in how they wait."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self, overload

import httpx

from classifier_client.answers import Answer, classes_of, model_of
from classifier_client.asking import Asking, at_once
from classifier_client.errors import ApiError, NotAPicture
from classifier_client.pictures import Picture

_TIMEOUT: Final = 60.0
"""Seconds for one try: API Gateway gives up after 29."""
AT_ONCE: Final = 8
"""Requests under way at a time, of many pictures."""

Outcome = Answer | ApiError | NotAPicture | OSError
"""Of one of several pictures: what is on it, or why that is not known."""


class Client(Asking):
    """Asks and waits. It may be used by several threads."""

    def __init__(self, url: str, key: str, **more: Any) -> None:
        super().__init__(url, key, **more)
        self._http = httpx.Client(timeout=_TIMEOUT, auth=self._auth)

    __init__.__doc__ = Asking.__init__.__doc__

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
            OSError: a file cannot be read.
        """
        if isinstance(picture, list):
            asked = self.each(picture, top_k=top_k, explain=explain, give=give)
            return [_answered(outcome) for outcome in asked]
        return self._one(picture, top_k, explain, give)

    def each(
        self,
        pictures: Iterable[Picture],
        *,
        top_k: int | None = None,
        explain: bool = False,
        give: bool = False,
    ) -> Iterator[Outcome]:
        """What is on each of many pictures, in their order, or the error why that is not known.

        Eight are asked at a time, and no more of them are looked at before those have been taken.
        """

        def outcome(picture: Picture) -> Outcome:
            try:
                return self._one(picture, top_k, explain, give)
            except (ApiError, NotAPicture, OSError) as error:
                return error

        waiting: deque[Future[Outcome]] = deque()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            try:
                for picture in pictures:
                    waiting.append(pool.submit(outcome, picture))
                    if len(waiting) == AT_ONCE:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(cancel_futures=True)

    def model(self) -> Mapping[str, Any]:
        """Which model serves (`GET /model`).

        Raises:
            Refused, NotAnswered: as `classify`, but of a model that sleeps at once: only a picture wakes it.
        """
        return at_once(self._get("model", model_of))

    def classes(self) -> tuple[str, ...]:
        """All that it can answer, in the order of `class_index` (`GET /classes`). Raises as `model`."""
        return at_once(self._get("classes", classes_of))

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
        return at_once(self._classify(picture, top_k, explain, give))

    async def _send(self, request: httpx.Request) -> httpx.Response:
        return self._http.send(request)

    async def _pause(self, seconds: float) -> None:
        time.sleep(seconds)


class AsyncClient(Asking):
    """The same for asyncio."""

    def __init__(self, url: str, key: str, **more: Any) -> None:
        super().__init__(url, key, **more)
        self._http = httpx.AsyncClient(timeout=_TIMEOUT, auth=self._auth)

    __init__.__doc__ = Asking.__init__.__doc__

    async def classify(
        self, picture: Any, *, top_k: int | None = None, explain: bool = False, give: bool = False
    ) -> Any:
        """As `Client.classify`."""
        if isinstance(picture, list):
            asked = self.each(picture, top_k=top_k, explain=explain, give=give)
            return [_answered(outcome) async for outcome in asked]
        return await self._classify(picture, top_k, explain, give)

    async def each(
        self,
        pictures: Iterable[Picture],
        *,
        top_k: int | None = None,
        explain: bool = False,
        give: bool = False,
    ) -> AsyncGenerator[Outcome]:
        """As `Client.each`. Who stops early calls `aclose`, which ends what is under way."""

        async def outcome(picture: Picture) -> Outcome:
            try:
                return await self._classify(picture, top_k, explain, give)
            except (ApiError, NotAPicture, OSError) as error:
                return error

        waiting: deque[asyncio.Task[Outcome]] = deque()

        async def first() -> Outcome:
            # Who awaits a task and is cancelled hands that on to it, and one that ends just then swallows it.
            await asyncio.wait((waiting[0],))
            return waiting.popleft().result()

        try:
            for picture in pictures:
                waiting.append(asyncio.create_task(outcome(picture)))
                if len(waiting) == AT_ONCE:
                    yield await first()
            while waiting:
                yield await first()
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def model(self) -> Mapping[str, Any]:
        """As `Client.model`."""
        return await self._get("model", model_of)

    async def classes(self) -> tuple[str, ...]:
        """As `Client.classes`."""
        return await self._get("classes", classes_of)

    async def aclose(self) -> None:
        """Give the connections back."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        return await self._http.send(request)

    async def _pause(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def _answered(outcome: Outcome) -> Answer:
    if isinstance(outcome, Answer):
        return outcome
    raise outcome
