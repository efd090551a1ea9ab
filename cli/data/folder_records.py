"""The pictures of a folder as the doctor's records, found by the upload's rules."""

from __future__ import annotations

from pathlib import Path

from cli.data import layouts
from cli.data.findings import BadUpload
from contract.datasets import SUFFIXES
from doctor.records import Record


def records_of(folder: Path) -> list[Record]:
    """A record for each file that is a picture by its name.

    Raises:
        BadUpload: there are none where they should be; says why and what to do.
    """
    files = [file for file in layouts.find(folder, []) if file.path.suffix.lower() in SUFFIXES]
    if not files:
        raise BadUpload(f"{folder} holds no pictures in its class folders: no file ends as a picture does.")
    return [
        Record(
            name=file.path.relative_to(folder).as_posix(),
            label=file.label,
            split=file.split or None,
            read=file.path.read_bytes,
            size=_size(file.path),
        )
        for file in files
    ]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # reading it will say why
