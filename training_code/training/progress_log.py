"""How far training is, said now and then in words no metric definition matches."""

from __future__ import annotations

import time
from typing import Final

from torch import Tensor

_SECONDS_BETWEEN: Final = 10.0


class Reporter:
    """Prints progress; `total` steps are to be done, `done` of them in an earlier attempt."""

    def __init__(self, total: int, done: int = 0) -> None:
        self._total = total
        self._start = self._said = time.perf_counter()
        self._first = done
        self._pictures = 0

    def step(self, done: int, pictures: int, loss: Tensor) -> None:
        """After every step: `done` steps of all, `pictures` in this one."""
        self._pictures += pictures
        now = time.perf_counter()
        if now - self._said < _SECONDS_BETWEEN:
            return
        self._said = now
        elapsed = now - self._start
        left = elapsed / (done - self._first) * (self._total - done)
        print(
            f"step {done} of {self._total}: loss {float(loss):.4f}, "
            f"{self._pictures / elapsed:.0f} images/s, about {left:.0f} s left",
            flush=True,
        )
