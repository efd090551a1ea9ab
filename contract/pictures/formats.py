"""The picture formats that are taken, by Pillow's names of them, and how their files' names end."""

from __future__ import annotations

from typing import Final

FORMATS: Final = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
    "PNG": (".png", ".apng"),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
}
"""Decoders that may touch a file. Of an MPO the first picture is read, which is a JPEG."""
SUFFIXES: Final = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)
"""Files of other names in a class folder are left alone."""
