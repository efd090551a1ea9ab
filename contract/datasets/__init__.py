"""What a data set consists of: its splits, and the files in them that are pictures."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

SPLITS: Final = ("train", "valid", "test")

FORMATS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"),
        "PNG": (".png", ".apng"),
        "GIF": (".gif",),
        "BMP": (".bmp", ".dib"),
        "WEBP": (".webp",),
        "TIFF": (".tif", ".tiff"),
    }
)
"""The decoders that may touch a file, by Pillow's name, with how names of such files end. Of an MPO the first
picture is read, which is a JPEG.
"""
SUFFIXES: Final = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)
"""Files with other names are left alone."""
