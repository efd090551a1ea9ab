"""What findings tell of a picture: its name, class, split and size."""

from __future__ import annotations

from doctor.findings import Picture
from doctor.pictures.album import Album


def shown(album: Album, row: int) -> Picture:
    """The picture of a row."""
    record = album.records[row]
    width, height = album.sizes[row].tolist()
    return Picture(
        record.name, album.sha256[row], record.label, record.split, width, height, record.size, record
    )
