"""Why a class was answered: the second network that tells it, made when it is first asked for.

Whoever does not ask pays nothing for it, neither memory nor time: it does not exist before, and then it
answers on a thread of its own, one picture after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contract.answers.explanation import NotExplained, where
from contract.pictures.transform import Pixels

Explainer = Callable[[Pixels], NDArray[np.float32]]
"""From a square, uint8 RGBA (side, side, 4), to what each place adds to each score: (height, width, classes).
"""


class Explanations:
    """Maps of where a class was seen. Any thread may ask.

    Args:
        made: makes the network that tells; raises `NotExplained` where there is none.
    """

    def __init__(self, made: Callable[[], Explainer]) -> None:
        self._made = made
        self._making = threading.Lock()

    def of(self, pixels: Pixels, index: int) -> Future[list[list[float]]]:
        """Rows of numbers from 0 to 1, once they are computed; or `NotExplained`.

        Args:
            pixels: the square that was classified.
            index: the class.
        """
        with self._making:
            thread = self._thread
        return thread.submit(self._map, pixels, index)

    def _map(self, pixels: Pixels, index: int) -> list[list[float]]:
        network = self._network
        if isinstance(network, NotExplained):
            raise network.with_traceback(None)
        rows: list[list[float]] = where(network(pixels), index).round(2).tolist()
        return rows

    @cached_property
    def _thread(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(1, "explain")

    @cached_property
    def _network(self) -> Any:
        """Only the one thread asks for it."""
        try:
            return self._made()
        except NotExplained as reason:
            return reason
