"""Looking at one picture file: can it be decoded whole, what is it really, and what is its content's hash."""

from __future__ import annotations

import hashlib
import shlex
import unicodedata
import warnings
from pathlib import Path
from typing import NamedTuple

from contract.datasets import FORMATS, SUFFIXES

MAX_BYTES = 100_000_000
_ENOUGH = 256
"""Pixels of the longer side that a thumbnail is made of, as in the doctor."""
_OTHER_PICTURES = {".heic": "HEIC", ".heif": "HEIC", ".avif": "AVIF", ".jxl": "JPEG XL", ".svg": "SVG"}

_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"hevc", b"mif1", b"msf1"), "HEIC"),
    **dict.fromkeys((b"avif", b"avis"), "AVIF"),
}
"""Of such files, after the bytes `ftyp`."""


class Checked(NamedTuple):
    """What a file turned out to be: not usable with a `problem`, usable but odd with a `remark`."""

    size: int = 0
    content: str = ""
    """SHA-256 in hex digits."""
    suffix: str = ""
    """How names of such files end, whatever its own name says."""
    problem: str = ""
    problem_kind: str = ""
    remark: str = ""
    thumbnail: bytes = b""
    """What near duplicates are found by."""


def check(path: Path) -> Checked:
    """Reads and fully decodes one file. Never raises for what the file holds."""
    problem = _name_problem(path)
    if problem is not None:
        return problem
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            return Checked(problem=f"has {size} bytes, more than {MAX_BYTES}", problem_kind="too large")
        content = path.read_bytes()
    except OSError as error:
        return Checked(problem=f"cannot be read: {error.strerror}", problem_kind="unreadable")
    if not content:
        return Checked(problem="is empty", problem_kind="empty")
    return _decode(path, content)


def not_a_picture(path: Path) -> Checked | None:
    """What speaks against a file by how its name ends; None for nothing."""
    suffix = path.suffix.lower()
    if suffix in _OTHER_PICTURES:
        return _other_picture(_OTHER_PICTURES[suffix], path)
    if suffix not in SUFFIXES:
        return Checked(problem="is not a picture by its name", problem_kind="not a picture")
    return None


def _name_problem(path: Path) -> Checked | None:
    if problem := not_a_picture(path):
        return problem
    if not (_is_text(path.name) and _is_text(path.parent.name)):
        return Checked(
            problem="has bytes in its name that are no text, or control characters: rename it",
            problem_kind="name",
        )
    return None


def _other_picture(kind: str, path: Path) -> Checked:
    convert = f"magick mogrify -format jpg {shlex.quote(str(path))}"
    what = f"is {kind}, which training and the endpoint do not take: convert it to JPEG with `{convert}`"
    return Checked(problem=what, problem_kind="other picture")


def _decode(path: Path, content: bytes) -> Checked:
    # Brings Pillow. Training and serving read pictures by the same module.
    from contract.pictures import file as image_file
    from contract.pictures.parts import Problem, UndecodablePicture
    from doctor.pictures.album import thumbnail

    # Set here once and for all: catch_warnings is not safe in threads, and Pillow's warnings say nothing new.
    warnings.filterwarnings("ignore", module="PIL")
    try:
        picture = image_file.read(content)
        # A JPEG at a part of its size is quicker, and read to its end all the same.
        small = thumbnail(picture.decoded(enough=_ENOUGH))
    except UndecodablePicture as error:
        brand = content[8:12] if content[4:8] == b"ftyp" else b""
        if brand in _BRANDS:  # a telephone's picture, whatever its name
            return _other_picture(_BRANDS[brand], path)
        kind = "too large" if error.problem is Problem.TOO_LARGE else "corrupt"
        return Checked(problem=str(error), problem_kind=kind)
    named = path.suffix.lower() in FORMATS[picture.kind]
    remark = "" if named else f"is {picture.kind} inside, whatever its name says"
    return Checked(
        size=len(content),
        content=hashlib.sha256(content).hexdigest(),
        suffix=FORMATS[picture.kind][0],
        remark=remark,
        thumbnail=small,
    )


def suffix_of(content: bytes) -> str:
    """How names of files with this picture end, by its bytes; nothing where they are of no known format."""
    from contract.pictures import file as image_file
    from contract.pictures.parts import UndecodablePicture

    try:
        return FORMATS[image_file.read(content).kind][0]
    except UndecodablePicture:
        return ""


def _is_text(name: str) -> bool:
    """What file systems and S3 take is taken; a name that is no Unicode, S3 cannot have."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return not any(unicodedata.category(character) == "Cc" for character in name)
