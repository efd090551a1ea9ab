"""A tar file of somebody else's, read by `tarfile` without letting it be led astray. Nothing is unpacked."""

from __future__ import annotations

import gzip
import math
import struct
import tarfile
import zlib
from collections.abc import Iterator
from typing import IO, Final

DAMAGED: Final = (
    *(tarfile.TarError, zlib.error, struct.error, OSError, EOFError, RuntimeError),
    *(ValueError, TypeError, ArithmeticError, LookupError, AttributeError),
)
"""What tarfile and gzip fail with over a damaged archive: whatever their code happens to raise."""
Stream = IO[bytes] | gzip.GzipFile
_MOST_AT_ONCE: Final = 1024 * 1024


def members(
    stream: Stream, most_bytes: float = math.inf
) -> Iterator[tuple[tarfile.TarInfo, IO[bytes] | None]]:
    """All in an uncompressed tar, in order; what is no plain file (folders, links, holes) without content.

    Raises:
        tarfile.ReadError: it goes on after `most_bytes`, or a header is damaged, which tarfile would take
            for the end. Other damage shows as other errors of `DAMAGED`.
    """
    forward = _Forward(stream, most_bytes)
    with tarfile.open(fileobj=forward, mode="r:") as tar:  # type: ignore[call-overload]
        for member in tar:
            plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
            yield member, tar.extractfile(member) if plain else None
    if forward.last != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("it is cut off or damaged")


def files(stream: Stream, most_bytes: float = math.inf) -> Iterator[tuple[tarfile.TarInfo, IO[bytes]]]:
    """The plain files among the `members`; raises as they do."""
    for member, file in members(stream, most_bytes):
        if file is not None:
            yield member, file


class _Forward:
    """tarfile reads a long name or a pax header whole, however long it claims to be, and some versions
    follow a negative size back for ever (CVE-2025-8194). Here it goes forward, and takes little at once.
    """

    def __init__(self, stream: Stream, most_bytes: float) -> None:
        self._stream = stream
        self._most = most_bytes
        self._place = 0
        self.last = b""
        """What was read last."""

    def tell(self) -> int:
        return self._place

    def seek(self, place: int) -> None:
        if not self._place <= place <= self._most:
            raise tarfile.ReadError("one of its sizes is wrong, or it is too large")
        self._place = self._stream.seek(place)

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MOST_AT_ONCE or self._place > self._most:
            raise tarfile.ReadError("one of its sizes is wrong, or it is too large")
        self.last = self._stream.read(size)
        self._place += len(self.last)
        return self.last
