"""How many of the machine's processors are for this process."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Those that it may run on: a container or `taskset` may allow fewer than there are.

    macOS and Windows do not tell; there it is all of them.
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
