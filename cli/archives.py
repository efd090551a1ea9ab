"""A job's output archive, unpacked without trusting it: files and folders, below one fresh folder.

`tarfile`'s own filters are not used: Python 3.11.0 to 3.11.3 has none, and those of later ones could be led
outside (CVE-2025-4517 and its siblings).
"""

from __future__ import annotations

import gzip
import os
import shutil
import struct
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO, Final

from cli.errors import CliError

MAX_BYTES: Final = 8 * 1024**3
MAX_MEMBERS: Final = 100_000
_MAX_NAME, _MAX_DEPTH, _CHUNK = 1024, 64, 1024 * 1024

# A damaged archive makes tarfile and gzip fail with whatever their code happens to raise.
_DAMAGED: Final = (
    *(tarfile.TarError, zlib.error, struct.error, OSError, EOFError, RuntimeError),
    *(ValueError, TypeError, ArithmeticError, LookupError, AttributeError),
)


class UnsafeArchive(CliError):
    """An archive that is damaged, too large, or holds what no job of this project leaves."""


def unpack(source: Path, folder: Path) -> None:
    """Fill the fresh folder `folder` from a .tar.gz.

    Raises:
        UnsafeArchive: damaged, too large, or with a member that is no file or folder inside.
    """
    folder.mkdir(parents=True)
    try:
        with gzip.open(source) as packed:
            stream, unpacked = _Forward(packed), 0
            with tarfile.open(fileobj=stream, mode="r:") as archive:  # type: ignore[call-overload]
                for number, member in enumerate(archive, 1):
                    unpacked += member.size
                    if number > MAX_MEMBERS or unpacked > MAX_BYTES:
                        raise UnsafeArchive(f"it has more than {MAX_MEMBERS} members or {MAX_BYTES} bytes")
                    _unpack(archive, member, folder)
            stream.finish()
    except UnsafeArchive as error:
        raise UnsafeArchive(f"{source.name} is not unpacked: {error}.") from None
    except _DAMAGED as error:
        raise UnsafeArchive(f"{source.name} cannot be unpacked: {error!r}.") from None


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        raise UnsafeArchive(f"{member.name!r} would be written outside")
    if len(os.fsencode(name)) > _MAX_NAME or len(name.parts) > _MAX_DEPTH:
        raise UnsafeArchive(
            f"{member.name[:60]!r}... has more than {_MAX_NAME} bytes or {_MAX_DEPTH} folders"
        )
    plain = member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()
    file = archive.extractfile(member) if plain else None
    if file is None and not member.isdir():
        raise UnsafeArchive(f"{member.name!r} is neither a file nor a folder")
    try:
        if file is None:
            (folder / name).mkdir(parents=True, exist_ok=True)
        else:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            _write(folder / name, file)
    except (FileExistsError, NotADirectoryError):
        raise UnsafeArchive(f"{member.name!r} stands where another member is") from None


def _write(path: Path, file: IO[bytes]) -> None:
    """Where nothing was before, and nothing of the member's mode."""
    new = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(new, "wb") as out:
        shutil.copyfileobj(file, out, _CHUNK)


class _Forward:
    """A stream as tarfile may read it: forward, to a limit, and never much at once.

    tarfile reads a long name or a pax header whole, however long it claims to be, and some versions follow
    a negative size back for ever (CVE-2025-8194).
    """

    def __init__(self, file: gzip.GzipFile) -> None:
        self._file = file
        self._place = 0
        self._last = b""

    def tell(self) -> int:
        return self._place

    def seek(self, place: int) -> None:
        if place < self._place:
            raise UnsafeArchive("one of its sizes is wrong")
        while self._place < place and self.read(min(_CHUNK, place - self._place)):
            pass

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _CHUNK or self._place > MAX_BYTES:
            raise UnsafeArchive(f"a header claims {size} bytes, or it unpacks to more than {MAX_BYTES}")
        self._last = self._file.read(size)
        self._place += len(self._last)
        return self._last

    def finish(self) -> None:
        """Raises UnsafeArchive unless the members end as a tar's do: tarfile takes damage for the end."""
        if self._last != bytes(tarfile.BLOCKSIZE):
            raise UnsafeArchive("it is cut off or damaged")
        while self.read(_CHUNK):  # the checksum is at the end
            pass
