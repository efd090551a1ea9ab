"""Pictures with their content, one after the other, for any number of threads.

From a disk each thread reads for itself, which wakes nobody. A mounted bucket takes some tens of milliseconds
for the first byte; where that shows, pictures are read ahead, so that nobody waits for it.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from contract.batch import Listed

_SLOW_SECONDS: Final = 0.005
"""Of a read: more is a bucket."""
_PER_SECOND: Final = 400
"""Pictures that a core may want."""
_MOST_PER_CORE: Final = 16
"""Reads under way."""
_MOST_BYTES: Final = 256 * 1024 * 1024
"""Of pictures that were read ahead."""
_LOOKED_AT: Final = 32
"""Reads between two decisions."""

Content = Callable[[], bytes]


class Reading:
    """Hands out each picture once, with a function that gives its content."""

    def __init__(self, pictures: Iterable[Listed], read: Callable[[Listed], bytes], cores: int) -> None:
        self._pictures, self._read, self._cores = iter(pictures), read, cores
        self._pool = ThreadPoolExecutor(_MOST_PER_CORE * cores, "reader")
        self._taking = threading.Lock()
        self._waiting: deque[tuple[Listed, Future[bytes] | None]] = deque()
        self._bytes = 0
        self.ahead = 0
        """How many pictures are read before they are asked for."""
        self._seconds: deque[float] = deque(maxlen=_LOOKED_AT)

    def take(self) -> tuple[Listed, Content] | None:
        """The next picture; None after the last one.

        Raises:
            Exception: what the pictures' iterator raises.
        """
        with self._taking:
            self._fill()
            if not self._waiting:
                return None
            picture, future = self._waiting.popleft()
            if future is not None:
                self._bytes -= picture.size
        return picture, future.result if future is not None else lambda: self._timed(picture)

    def close(self) -> None:
        """Begin no more reads."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _fill(self) -> None:
        if len(self._seconds) == _LOOKED_AT:
            usual = sum(self._seconds) / _LOOKED_AT
            wanted = min(_MOST_PER_CORE, math.ceil(usual * _PER_SECOND)) * self._cores
            self.ahead = wanted if usual > _SLOW_SECONDS else 0
            self._seconds.clear()
        while len(self._waiting) <= self.ahead and (not self._waiting or self._bytes < _MOST_BYTES):
            picture = next(self._pictures, None)
            if picture is None:
                return
            future = None
            if self.ahead:
                future = self._pool.submit(self._timed, picture)
                self._bytes += picture.size
            self._waiting.append((picture, future))

    def _timed(self, picture: Listed) -> bytes:
        began = time.perf_counter()
        content = self._read(picture)
        self._seconds.append(time.perf_counter() - began)
        return content
