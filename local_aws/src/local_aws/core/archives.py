"""Archives that somebody else made, unpacked: files and folders, all of them below one fresh folder.

What is neither file nor folder is refused, so nothing here can be written through a link. `tarfile`'s own
filters are not used: Python 3.11.0 to 3.11.3 has none, and those of later ones could be led outside
(CVE-2025-4517 and its siblings 4138, 4330, 4435).
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final

MAX_BYTES: Final = 16 * 1024**3
MAX_READ_BYTES: Final = 1024**3
"""Of an archive whose files are handed out one by one, to be held in memory."""
MAX_MEMBERS: Final = 100_000
MAX_NAME: Final = 1024
"""Bytes of a member's whole name; a file system takes 255 of them between two slashes."""
MAX_DEPTH: Final = 64
_CHUNK: Final = 1024 * 1024

_PACKED: Final[dict[bytes, Callable[..., Any]]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ": lzma.open,
}
# A damaged archive makes tarfile and the decompressors fail with whatever their code happens to raise.
_DAMAGED: Final = (
    *(tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(OSError, EOFError, RuntimeError, ValueError, TypeError, ArithmeticError, LookupError, AttributeError),
)


class UnsafeArchiveError(Exception):
    """An archive that is damaged, or holds what is not unpacked here; the message says which member."""


def unpack_tar(source: Path, folder: Path) -> None:
    """Fill the fresh folder `folder` from a tar file, packed by gzip, bzip2, xz or not at all.

    Raises UnsafeArchiveError for one that is damaged, too large, or has a member that is no file or folder
    inside; nothing is left at `folder` then.
    """
    limits = _Limits(MAX_BYTES)
    with _made_whole(folder), _opened(source) as packed:
        stream = _Forward(packed)
        with tarfile.open(fileobj=stream, mode="r:") as archive:  # type: ignore[call-overload]
            for member in archive:
                limits.check(member.name, member.size)
                if member.isdir():
                    _make(folder, member.name)
                    continue
                plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
                file = archive.extractfile(member) if plain else None
                if file is None:
                    raise UnsafeArchiveError(f"{member.name!r} is neither a file nor a folder")
                _write(folder, member.name, file, member.size, member.mode)
        stream.finish()


def unpack_zip(source: IO[bytes], folder: Path) -> None:
    """Fill the fresh folder `folder` from a ZIP file. Raises UnsafeArchiveError as `unpack_tar`."""
    with _made_whole(folder), zipfile.ZipFile(source) as archive:
        for member in _members(archive, _Limits(MAX_BYTES)):
            if member.is_dir():
                _make(folder, member.filename)
            else:
                with archive.open(member) as file:
                    _write(folder, member.filename, file, member.file_size, member.external_attr >> 16)


def read_zip(source: IO[bytes]) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file in a ZIP file. Raises UnsafeArchiveError as `unpack_tar`."""
    try:
        with zipfile.ZipFile(source) as archive:
            for member in _members(archive, _Limits(MAX_READ_BYTES)):
                if not member.is_dir():
                    yield member.filename, archive.read(member)
    except _DAMAGED as error:
        raise UnsafeArchiveError(str(error) or repr(error)) from None


def is_tar(source: Path) -> bool:
    """Whether a file begins like a tar file, packed or not."""
    try:
        with _opened(source) as file:
            tarfile.TarInfo.frombuf(file.read(tarfile.BLOCKSIZE), "utf-8", "surrogateescape")
    except _DAMAGED:
        return False
    return True


def _members(archive: zipfile.ZipFile, limits: _Limits) -> Iterator[zipfile.ZipInfo]:
    for member in archive.infolist():
        limits.check(member.filename, member.file_size)
        if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise UnsafeArchiveError(f"{member.filename!r} is neither a file nor a folder")
        yield member


@contextlib.contextmanager
def _made_whole(folder: Path) -> Iterator[None]:
    """Make a folder that is gone again if what fills it fails; UnsafeArchiveError for a damaged archive."""
    folder.mkdir(parents=True)
    try:
        yield
    except (*_DAMAGED, UnsafeArchiveError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, UnsafeArchiveError):
            raise
        raise UnsafeArchiveError(str(error) or repr(error)) from None


def _opened(source: Path) -> IO[bytes]:
    with source.open("rb") as file:
        head = file.read(6)
    opener = next((each for magic, each in _PACKED.items() if head.startswith(magic)), open)
    opened: IO[bytes] = opener(source, "rb")
    return opened


def _make(folder: Path, name: str) -> None:
    """A folder, which may be there already for what lies in it."""
    try:
        (folder / name).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UnsafeArchiveError(f"{name!r} stands where another member is") from None


def _write(folder: Path, name: str, file: IO[bytes], size: int, mode: int) -> None:
    """A file of `size` bytes where nothing was; of its mode only whether it may be run is kept."""
    _make(folder, str(PurePosixPath(name).parent))
    new = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    try:
        opened = os.open(folder / name, new, 0o755 if mode & stat.S_IXUSR else 0o644)
    except FileExistsError:
        raise UnsafeArchiveError(f"{name!r} stands where another member is") from None
    with os.fdopen(opened, "wb") as out:
        shutil.copyfileobj(file, out, _CHUNK)
        if out.tell() != size:
            raise UnsafeArchiveError(f"{name!r} is cut off")


class _Limits:
    """What the members of one archive may be called, and how much they may hold together."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._members = 0
        self._bytes = 0

    def check(self, name: str, size: int) -> None:
        """Raises UnsafeArchiveError for a name that no member may have, and beyond the limits."""
        self._members += 1
        self._bytes += size
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts:
            raise UnsafeArchiveError(f"{name!r} would be written outside the folder")
        if len(os.fsencode(name)) > MAX_NAME or len(parts) > MAX_DEPTH:
            raise UnsafeArchiveError(
                f"{name[:60]!r}... has more than {MAX_NAME} bytes or {MAX_DEPTH} folders"
            )
        if self._members > MAX_MEMBERS or self._bytes > self._most_bytes:
            raise UnsafeArchiveError(f"it has more than {MAX_MEMBERS} members or {self._most_bytes} bytes")


class _Forward:
    """A stream as tarfile may read it: forward, to a limit, and never much at once.

    tarfile reads a long name or a pax header whole, however long it claims to be, and some versions follow
    a negative size back for ever (CVE-2025-8194).
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._place = 0
        self._last = b""

    def tell(self) -> int:
        return self._place

    def seek(self, place: int) -> None:
        if place < self._place:
            raise UnsafeArchiveError("one of its sizes is wrong")
        while self._place < place and self.read(min(_CHUNK, place - self._place)):
            pass

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _CHUNK:
            raise UnsafeArchiveError(f"one of its headers claims to have {size} bytes")
        self._last = self._file.read(size)
        self._place += len(self._last)
        if self._place > MAX_BYTES:
            raise UnsafeArchiveError(f"it unpacks to more than {MAX_BYTES} bytes")
        return self._last

    def finish(self) -> None:
        """UnsafeArchiveError unless it ends as a tar does: tarfile takes a damaged header for the end."""
        if self._last != bytes(tarfile.BLOCKSIZE):
            raise UnsafeArchiveError("it is cut off or damaged")
        while self.read(_CHUNK):  # a packed stream has its checksum at its end
            pass
