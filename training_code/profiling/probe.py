"""Trying out what a finding proposes, for a few batches: a measured gain instead of a guess."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

_BATCHES: Final = 8
_WORKERS: Final = 2


def faster_with_workers(
    prepare: Callable[[int], object], clock: Callable[[], float] = time.perf_counter
) -> float:
    """How many times as fast two threads prepare batches as one does.

    Args:
        prepare: makes the batch of that number.
        clock: seconds.
    """
    prepare(0)
    begun = clock()
    for number in range(_BATCHES):
        prepare(number)
    alone = clock() - begun
    with ThreadPoolExecutor(_WORKERS) as pool:
        begun = clock()
        list(pool.map(prepare, range(_BATCHES)))
        together = clock() - begun
    return alone / max(1e-9, together)


def gain_of_workers(share: float, faster: float) -> str:
    """What that would bring, in words.

    Args:
        share: of the step that waits for data, 0 to 1.
        faster: what `faster_with_workers` measured.
    """
    if faster < 1.1:
        return (
            f"two threads preparing batches were measured no faster ({faster:.1f}×) on a probe of {_BATCHES}"
        )
    step = 1 / (1 - share + share / faster)
    return (
        f"two threads prepare batches {faster:.1f}× as fast, measured on a probe of {_BATCHES}: "
        f"steps {step:.2f}× as fast, more when they are prepared ahead"
    )
