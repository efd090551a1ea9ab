"""A table of equal rows that lies outside this process's memory: decoded pictures, frozen features.

The rows are in an unlinked scratch file, read and written by position, never mapped. The kernel decides how
much of it is kept in memory. Reading a batch costs one copy, 64 pictures of 224x224 about 3 ms. The processes
of one machine share one file.
"""

from __future__ import annotations

import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from training_code.distributed.process_group import ALONE, ProcessGroup
from training_code.errors import OutOfMemory
from training_code.hardware.memory import available_memory

_DISK_SHARE = 0.9
_MEMORY_SHARE = 0.5


class Table:
    """`count` rows of one shape and type, in one file for all processes of a machine. They make it together.

    Raises:
        OutOfMemory: neither the disk nor the memory has room for them.
    """

    def __init__(
        self, count: int, shape: Sequence[int], dtype: torch.dtype, what: str, group: ProcessGroup = ALONE
    ) -> None:
        self.count, self.shape, self.dtype = count, tuple(shape), dtype
        self._row = math.prod(self.shape) * dtype.itemsize
        self._file = _shared(count * self._row, f"{count} {what}", group)

    def write(self, first: int, rows: Tensor) -> None:
        """Put rows at `first` and behind it. Threads may write at once."""
        content = memoryview(rows.contiguous().flatten().view(torch.uint8).numpy().data)
        at = first * self._row
        while content:
            written = os.pwrite(self._file, content, at)
            content, at = content[written:], at + written

    def read(self, rows: Tensor) -> Tensor:
        """The rows of these numbers, (n, *shape), in a tensor of their own."""
        copied = torch.empty((len(rows), *self.shape), dtype=self.dtype)
        if not len(rows):
            return copied
        places = copied.view(len(rows), -1).view(torch.uint8).numpy()
        for place, row in zip(places, rows.tolist(), strict=True):
            if os.preadv(self._file, [place], row * self._row) != self._row:
                raise EOFError(f"row {row} of a table of {self.count} cannot be read")
        return copied

    def close(self) -> None:
        """Give the room back."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self.close()


def _shared(size: int, what: str, group: ProcessGroup) -> int:
    """A descriptor of the one file; see proc(5) for how a file without a name is opened a second time."""
    file = group.agreed(lambda: _scratch(size, what) if group.is_local_main else -1)
    place = group.all_gather_local(f"/proc/{os.getpid()}/fd/{file}")[0]
    return file if group.is_local_main else os.open(place, os.O_RDWR)


def _scratch(size: int, what: str) -> int:
    """The descriptor of an empty file of `size` bytes that has no name: on the disk, else in memory."""
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if size <= free * _DISK_SHARE:
        file, path = tempfile.mkstemp(dir=folder)
        Path(path).unlink()
        try:
            if size:
                os.posix_fallocate(file, 0, size)  # a disk too small is noticed here, not in the middle
        except OSError:
            os.close(file)
        else:
            return file
    memory = int(available_memory() * _MEMORY_SHARE)
    if size > memory:
        raise OutOfMemory(
            f"{what} take {size / 1e9:.1f} GB; the disk ({folder}) has {free / 1e9:.1f} GB for them and the "
            f"memory {memory / 1e9:.1f} GB: give the job a larger volume, or lower image_size or "
            f"train_fraction"
        )
    file = os.memfd_create("rows")
    os.truncate(file, size)
    return file
