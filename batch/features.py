"""What goes into the network's head, made small: a few numbers a picture, by which pictures are told apart.

Each number is the sum of all features with random signs, which keeps the distances between pictures to about
a tenth (Achlioptas 2003, Database-friendly random projections). The signs follow from a hash, which no
version of a library changes: all instances, and whoever goes on later, add up alike.
"""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

import numpy as np
from numpy.typing import NDArray

from contract.batch import FEATURES_WIDTH

Halves = NDArray[np.float16]

_LARGEST: Final = float(np.finfo(np.float16).max)
_ENDIAN: Final = "<f2"


class Compact:
    """Makes the features of one network small.

    Args:
        width: how many there are of a picture.
    """

    def __init__(self, width: int) -> None:
        self._signs: NDArray[np.float32] | None = None
        if width > FEATURES_WIDTH:
            drawn = hashlib.shake_128(f"signs {width}".encode()).digest(width * FEATURES_WIDTH // 8)
            signs = np.unpackbits(np.frombuffer(drawn, np.uint8)).reshape(width, FEATURES_WIDTH)
            self._signs = (signs * np.float32(2) - 1) / np.float32(FEATURES_WIDTH**0.5)

    def __call__(self, features: NDArray[np.float32]) -> Halves:
        """The features (width,) of a picture, as at most `FEATURES_WIDTH` numbers."""
        small = features if self._signs is None else features @ self._signs
        return np.clip(small, -_LARGEST, _LARGEST).astype(_ENDIAN)


def as_text(small: Halves) -> str:
    """The numbers as one word."""
    return base64.b64encode(small.tobytes()).decode()


class Rows:
    """A file of such numbers as numpy has it, (pictures, numbers), written row by row.

    How many rows there are is known at the end, when the head is written again: numpy leaves room in it.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._count, self._bytes = path, 0, 0

    def __enter__(self) -> Self:
        self._file: IO[bytes] = self._path.open("wb")
        self._head()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.seek(0)
        self._head()
        self._file.close()

    def add(self, text: str) -> None:
        """One more row, as `as_text` gave it.

        Raises:
            ValueError: it has another length than those before.
        """
        row = base64.b64decode(text)
        if self._count and len(row) != self._bytes:
            raise ValueError(f"features of {len(row)} bytes beside others of {self._bytes}")
        self._file.write(row)
        self._count, self._bytes = self._count + 1, len(row)

    def _head(self) -> None:
        shape = (self._count, self._bytes // np.dtype(_ENDIAN).itemsize)
        told = {"descr": _ENDIAN, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(self._file, told)  # type: ignore[no-untyped-call]
