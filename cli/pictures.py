"""Looking at one picture file: can it be decoded whole, what is it really, and what is its content's MD5."""

from __future__ import annotations

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

# What training and serving decode, by Pillow's format name.
FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".jpg", ".jpeg", ".mpo"),
    "PNG": (".png", ".apng"),
    "GIF": (".gif",),
    "BMP": (".bmp", ".dib"),
    "WEBP": (".webp",),
    "TIFF": (".tif", ".tiff"),
}
SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)
MAX_PIXELS = 50_000_000
MAX_BYTES = 100_000_000


@dataclass(frozen=True)
class Checked:
    """What a file turned out to be: not usable with a `problem`, usable but odd with a `remark`."""

    size: int = 0
    md5: str = ""
    problem: str = ""
    problem_kind: str = ""
    remark: str = ""


def check(path: Path) -> Checked:
    """Reads and fully decodes one file. Never raises for what the file holds."""
    if path.suffix.lower() not in SUFFIXES:
        return Checked(problem="is not a picture by its name", problem_kind="not a picture")
    if not _nameable(path.name) or not _nameable(path.parent.name):
        return Checked(
            problem="has characters in its name which a bucket key cannot carry", problem_kind="name"
        )
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            return Checked(problem=f"has {size} bytes, more than {MAX_BYTES}", problem_kind="too large")
        content = path.read_bytes()
    except OSError as error:
        return Checked(problem=f"cannot be read: {error.strerror}", problem_kind="unreadable")
    if not content:
        return Checked(problem="is empty", problem_kind="empty")
    if content.startswith(b"version https://git-lfs"):
        return Checked(
            problem="is a Git LFS pointer, not the picture: run `git lfs pull`", problem_kind="corrupt"
        )
    return _decode(path, content)


def _decode(path: Path, content: bytes) -> Checked:
    from PIL import Image

    # Set here once and for all: catch_warnings is not safe in threads, and Pillow's warnings say nothing new.
    warnings.filterwarnings("ignore", module="PIL")
    # MPO is a JPEG to begin with: Pillow finds out while opening and has no opener of that name.
    openers = [name for name in FORMATS if name != "MPO"]
    try:
        with Image.open(io.BytesIO(content), formats=openers) as picture:
            width, height = picture.size
            if width * height > MAX_PIXELS:
                return Checked(
                    problem=f"has {width}x{height} pixels, more than {MAX_PIXELS}", problem_kind="too large"
                )
            kind = str(picture.format)
            picture.convert("RGB")
    except Image.DecompressionBombError:
        return Checked(problem=f"has more than {MAX_PIXELS} pixels", problem_kind="too large")
    except Exception as error:  # Pillow's decoders raise nearly anything for broken bytes
        return Checked(problem=f"cannot be decoded: {_short(error)}", problem_kind="corrupt")
    remark = "" if path.suffix.lower() in FORMATS[kind] else f"is {kind} inside, whatever its name says"
    return Checked(
        size=len(content), md5=hashlib.md5(content, usedforsecurity=False).hexdigest(), remark=remark
    )


def _short(error: Exception) -> str:
    text = str(error).split("<_io")[0].strip() or type(error).__name__
    return text[:100]


def _nameable(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return all(character.isprintable() for character in name)
