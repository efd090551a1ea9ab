"""A job's output archive, unpacked without trusting it: files and folders, below one fresh folder.

`tarfile`'s own filters are not used: Python 3.11.0 to 3.11.3 has none, and those of later ones could be led
outside (CVE-2025-4517 and its siblings).
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
from pathlib import Path, PurePosixPath
from typing import IO, Final

from cli.errors import CliError
from contract import archives

MAX_BYTES: Final = 8 * 1024**3
MAX_MEMBERS: Final = 100_000
_MAX_NAME, _MAX_DEPTH, _CHUNK = 1024, 64, 1024 * 1024


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
            unpacked = 0
            for number, (member, file) in enumerate(archives.members(packed, MAX_BYTES), 1):
                unpacked += member.size
                if number > MAX_MEMBERS or unpacked > MAX_BYTES:
                    raise UnsafeArchive(f"it has more than {MAX_MEMBERS} members or {MAX_BYTES} bytes")
                _unpack(member, file, folder)
            _finish(packed, MAX_BYTES - unpacked)
    except UnsafeArchive as error:
        raise UnsafeArchive(f"{source.name} is not unpacked: {error}.") from None
    except archives.DAMAGED as error:
        raise UnsafeArchive(f"{source.name} cannot be unpacked: {error!r}.") from None


def _finish(packed: gzip.GzipFile, most_bytes: int) -> None:
    """Read what follows the members: the checksum is at the end."""
    while most_bytes >= 0 and (read := packed.read(_CHUNK)):
        most_bytes -= len(read)
    if most_bytes < 0:
        raise UnsafeArchive(f"it unpacks to more than {MAX_BYTES} bytes")


def _unpack(member: tarfile.TarInfo, file: IO[bytes] | None, folder: Path) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        raise UnsafeArchive(f"{member.name!r} would be written outside")
    if len(os.fsencode(name)) > _MAX_NAME or len(name.parts) > _MAX_DEPTH:
        raise UnsafeArchive(
            f"{member.name[:60]!r}... has more than {_MAX_NAME} bytes or {_MAX_DEPTH} folders"
        )
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
