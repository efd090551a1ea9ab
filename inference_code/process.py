"""How a process that answers pictures is set up, before its libraries are loaded."""

from __future__ import annotations

import ctypes
import os
import warnings

# malloc.h's names. Pixels of a picture of 1000x1000 stay in a heap, Pillow's blocks of 16 MB do not; and what
# a request of usual size needs is kept for the next.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
_MAPPED_FROM_BYTES, _KEPT_BYTES = 4 << 20, 16 << 20


def prepare() -> None:
    """Set what PyTorch's threads, glibc's memory and Pillow's warnings are to do."""
    # Before PyTorch is loaded: its OpenMP threads spin for milliseconds while they wait for each other, and
    # so keep the cores from whoever they wait for. Spinning briefly, a picture took 117 ms beside busy
    # neighbours instead of 818, and 28 instead of 25 at best (47 without any spinning).
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    _return_large_blocks()
    warnings.simplefilter("ignore")  # Pillow warns about every odd picture; what matters becomes an error


def _return_large_blocks() -> None:
    """Let glibc map large blocks by themselves, and give them back when they are freed.

    By itself it learns from the first large picture to keep blocks of up to 32 MB in its heaps, where small
    ones between them hold them fast. See mallopt(3), "dynamic mmap threshold"; another C library has no such
    call.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
