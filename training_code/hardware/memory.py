"""The machine's memory: how much is free, why it was too little, and how freed blocks are kept."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import torch

from training_code.config import Config
from training_code.errors import OutOfMemory
from training_code.hardware.cores import lines_of

_SHORT_OF_MEMORY: Final = (
    "can't allocate memory",  # torch
    "could not create a primitive",  # oneDNN, when there is no room for a kernel
    "could not execute a primitive",  # or for its workspace
)

_M_TRIM_THRESHOLD: Final = -1
_M_MMAP_MAX: Final = -4


@contextmanager
def memory_explained(config: Config) -> Iterator[None]:
    """Turn torch's several ways of saying that memory is short into one message that says what to try."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        short = isinstance(error, MemoryError | torch.OutOfMemoryError)
        if not short and not any(words in str(error) for words in _SHORT_OF_MEMORY):
            raise
        raise OutOfMemory(f"{_step(config)} does not fit into memory; {_smaller(config)}") from None


def why_killed(config: Config) -> str:
    """The reason of a job whose process the kernel killed before it could give one."""
    return (
        f"the training ended without a word of its own; with exit code 137 it was killed, most likely "
        f"because {_step(config)} used up the machine's memory: {_smaller(config)}"
    )


def _step(config: Config) -> str:
    return (
        f"a step of {config.batch_size} pictures of {config.image_size}x{config.image_size} "
        f"through {config.arch}"
    )


def _smaller(config: Config) -> str:
    return (
        f"try batch_size={max(2, config.batch_size // 2)}, a smaller image_size, "
        f"or an instance with more memory"
    )


def available_memory() -> int:
    """Bytes this process may still take: what the machine has free, or its control group's limit leaves."""
    free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for line in lines_of(Path("/proc/meminfo")):
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) * 1024
    group = Path("/sys/fs/cgroup")
    for limit, used in (
        (group / "memory.max", group / "memory.current"),
        (group / "memory/memory.limit_in_bytes", group / "memory/memory.usage_in_bytes"),
    ):
        bound, current = "".join(lines_of(limit)), "".join(lines_of(used))
        if bound.isdigit() and current.isdigit():
            free = min(free, max(0, int(bound) - int(current)))
    return free


def keep_freed_memory() -> None:
    """Let glibc reuse large blocks instead of handing them back to the kernel after every step.

    Each above 32 MB, as a step's first activations are, has a mapping of its own unless there may be none:
    faulting their pages in anew took half the time of EfficientNet-Lite0's steps of 64 pictures of 224x224.
    See mallopt(3); another C library has none.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**30)
