"""Looking at one picture file: can it be decoded whole, what is it really, and what is its content's MD5."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass
from pathlib import Path

from contract.datasets import FORMATS, SUFFIXES

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
    return _decode(path, content)


def _decode(path: Path, content: bytes) -> Checked:
    # Brings Pillow. Training and serving read pictures by the same module.
    from contract.pictures import file as image_file
    from contract.pictures.parts import Problem, UndecodablePicture

    # Set here once and for all: catch_warnings is not safe in threads, and Pillow's warnings say nothing new.
    warnings.filterwarnings("ignore", module="PIL")
    try:
        picture = image_file.read(content)
        # A JPEG at an eighth of its size is quicker, and read to its end all the same.
        picture.decoded(enough=1)
    except UndecodablePicture as error:
        kind = "too large" if error.problem is Problem.TOO_LARGE else "corrupt"
        return Checked(problem=str(error), problem_kind=kind)
    named = path.suffix.lower() in FORMATS[picture.kind]
    remark = "" if named else f"is {picture.kind} inside, whatever its name says"
    return Checked(
        size=len(content), md5=hashlib.md5(content, usedforsecurity=False).hexdigest(), remark=remark
    )


def _nameable(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return all(character.isprintable() for character in name)
