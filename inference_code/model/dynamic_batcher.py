"""Dynamic batching: squares that wait for the network at the same time are computed together.

Four pictures at once take less time than one after the other: a tenth to a fifth on a processor with int8,
most of it on a GPU. No square waits for company: a free thread takes a full batch if there is one, else a
single picture. Scores come as futures, whose callbacks are called by the thread that computed them.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future

import numpy as np
from numpy.typing import NDArray

from contract.artifact import TOGETHER

Infer = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From squares, uint8 RGBA (n, side, side, 4), to what the network says of each, float32 (n, numbers)."""

Scores = Future[NDArray[np.float32]]
"""The class scores of one square and, where its form tells it, the head's input behind them: float32
(classes + features,), once they are computed."""

BATCH = TOGETHER
"""Squares of a full batch; eight are no quicker."""


class DynamicBatcher:
    """A few threads that compute the squares, of `side` pixels, of any number of callers.

    Only they call `infer`, with one square or with `most`.

    Raises:
        Exception: what `infer` raised at its first try, which every thread makes before this returns.
    """

    def __init__(self, infer: Infer, *, most: int, threads: int, side: int) -> None:
        self._infer, self._most = infer, most
        self._waiting: deque[tuple[NDArray[np.uint8], Scores]] = deque()
        self._changed = threading.Condition()
        blank = np.zeros((most, side, side, 4), np.uint8)
        # One after the other: two threads that call OpenVINO's Python for the first time at once can wait for
        # each other for ever (one holds the interpreter's lock, the other that of a value made at first use).
        for _ in range(threads):
            tried = Future[None]()
            threading.Thread(target=self._work, args=(blank, tried), name="network", daemon=True).start()
            tried.result()

    def scores(self, square: NDArray[np.uint8]) -> Scores:
        """The scores of one square; any thread may call."""
        answer = Scores()
        with self._changed:
            self._waiting.append((square, answer))
            self._changed.notify()
        return answer

    def _work(self, blank: NDArray[np.uint8], tried: Future[None]) -> None:
        try:
            self._infer(blank[:1])
            self._infer(blank)
        except BaseException as error:
            tried.set_exception(error)
            return
        tried.set_result(None)
        while True:
            batch = self._take()
            try:
                scores = self._infer(np.stack([square for square, _ in batch]))
            except BaseException as error:
                for _, answer in batch:
                    answer.set_exception(error)
            else:
                for (_, answer), one in zip(batch, scores, strict=True):
                    answer.set_result(one)

    def _take(self) -> list[tuple[NDArray[np.uint8], Scores]]:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting)
            count = self._most if len(self._waiting) >= self._most else 1
            return [self._waiting.popleft() for _ in range(count)]
