"""Thirty archives that somebody else packed, opened by every room that opens one.

What must not happen: a file outside of the folder, a link or a device inside it, an error that is not the
room's own, or gigabytes unpacked. What sound archives hold must come out.
"""

from __future__ import annotations

import gzip
import io
import os
import random
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SECRET: Final = "outside.txt"
Entry = tuple[tarfile.TarInfo, bytes]


@dataclass(frozen=True)
class Outcome:
    """What came of one archive in one room."""

    room: str
    archive: str
    escaped: str
    """What got out or in that must not; empty when nothing did."""
    error: str
    """An error that is not the room's own; empty when there was none."""
    milliseconds: float


def run(scratch: Path) -> list[Outcome]:
    """Open all archives in all rooms."""
    outcomes = []
    for room, (open_it, own_errors) in _rooms().items():
        for number, (name, packed) in enumerate(archives(scratch / "elsewhere")):
            place = scratch / room / str(number)
            place.mkdir(parents=True)
            outcomes.append(_tried(room, name, packed, place, open_it, own_errors))
    return outcomes


def archives(elsewhere: Path) -> Iterator[tuple[str, bytes]]:
    """The archives by name; `elsewhere` is a folder that their absolute names and links point to."""
    elsewhere.mkdir(parents=True, exist_ok=True)
    (elsewhere / "readable.txt").write_text("a secret")
    yield from _climbing(elsewhere)
    yield from _linking(elsewhere)
    yield from _kinds()
    yield from _broken()


def _climbing(elsewhere: Path) -> Iterator[tuple[str, bytes]]:
    names = {
        "dots": f"../{SECRET}",
        "many dots": "../" * 40 + f"tmp/{SECRET}",
        "dots inside": f"a/../../{SECRET}",
        "absolute": str(elsewhere / SECRET),
        "double slash": f"/{elsewhere / SECRET}",
        "backslashes": f"..\\..\\{SECRET}",
        "a drive": f"C:\\{SECRET}",
        "a dot": ".",
        "empty": "",
        "250 folders deep": "d/" * 250 + "x",
        "4,000 folders deep": "d/" * 4000 + "x",
        "a name of 5,000 letters": "n" * 5000,
        "a null": f"a\0/../{SECRET}",
        "broken UTF-8": "a\udcff",
    }
    for what, name in names.items():
        yield f"name: {what}", _packed([_file(name)])


def _linking(elsewhere: Path) -> Iterator[tuple[str, bytes]]:
    away = str(elsewhere)
    yield "symlink out, file through it", _packed([_link("s", away), _file(f"s/{SECRET}")])
    yield "symlink to the file that follows", _packed([_link("f", f"{away}/{SECRET}"), _file("f")])
    yield "symlink read back", _packed([_link("model.json", f"{away}/readable.txt")])
    yield "hard link out", _packed([_link("h", f"{away}/readable.txt", tarfile.LNKTYPE)])
    yield "hard link to nothing", _packed([_link("h", "missing", tarfile.LNKTYPE)])
    yield "hard link to itself", _packed([_link("h", "h", tarfile.LNKTYPE)])
    yield "symlink loop", _packed([_link("a", "b"), _link("b", "a"), _file("a/x")])
    # CVE-2025-4517: a path longer than PATH_MAX is not resolved to its end by the data filter.
    steps, chain = "d" * 247, []
    inside = ""
    for letter in "abcdefghijklmnop":
        chain += [_folder(f"{inside}{steps}"), _link(f"{inside}{letter}", steps)]
        inside += f"{letter}/"
    long = "/".join("abcdefghijklmnop") + "/" + "l" * 254
    chain += [_link(long, "../" * 16), _link("escape", f"{long}/../../elsewhere"), _file(f"escape/{SECRET}")]
    yield "a link too long to resolve", _packed(chain)


def _kinds() -> Iterator[tuple[str, bytes]]:
    for what, kind in (
        ("fifo", tarfile.FIFOTYPE),
        ("character device", tarfile.CHRTYPE),
        ("block device", tarfile.BLKTYPE),
    ):
        special = tarfile.TarInfo("model.json")
        special.type, special.devmajor, special.devminor = kind, 1, 5
        yield f"a {what}", _packed([(special, b"")])
    mighty = tarfile.TarInfo("model.json")
    mighty.mode, mighty.size = 0o6777, 2
    yield "set-uid", _packed([(mighty, b"{}")])
    yield "a file twice", _packed([_file("model.json"), _file("model.json")])
    yield "a file, then a folder of its name", _packed([_file("a"), _folder("a"), _file("a/b")])


def _broken() -> Iterator[tuple[str, bytes]]:
    sound = _packed([_file("model.json"), _file("classes.json")])
    yield "empty", b""
    yield "no archive", b"hello" * 1000
    yield "cut off", sound[: len(sound) // 2]
    huge = tarfile.TarInfo("model.json")
    huge.size = 2**40
    yield "a size of a terabyte", gzip.compress(huge.tobuf() + bytes(1024))
    negative = bytearray(tarfile.TarInfo("model.json").tobuf())
    negative[124:136] = b"\xff" * 12
    yield "a size below zero", gzip.compress(bytes(negative) + bytes(1024))
    yield "50,000 files", _packed([_file(f"f{number}", b"") for number in range(50_000)])
    chance = random.Random(7)
    noisy = bytearray(gzip.decompress(sound))
    for _ in range(60):
        noisy[chance.randrange(1024)] = chance.randrange(256)
    yield "a damaged header", gzip.compress(bytes(noisy))


def _file(name: str, body: bytes = b"{}") -> Entry:
    member = tarfile.TarInfo(name)
    member.size = len(body)
    return member, body


def _folder(name: str) -> Entry:
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    return member, b""


def _link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> Entry:
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, to
    return member, b""


def _packed(entries: list[Entry]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz", compresslevel=1) as tar:
        for member, body in entries:
            tar.addfile(member, io.BytesIO(body))
    return target.getvalue()


Opener = Callable[[bytes, Path], None]


def _tried(
    room: str, name: str, packed: bytes, place: Path, open_it: Opener, own_errors: tuple[type[Exception], ...]
) -> Outcome:
    error, before = "", _outside(place)
    began = time.perf_counter()
    try:
        open_it(packed, place)
    except own_errors:
        pass
    except Exception as problem:
        error = f"{type(problem).__name__}: {problem}"[:200]
    milliseconds = (time.perf_counter() - began) * 1000
    escaped = _escaped(place, before)
    subprocess.run(["rm", "-rf", str(place)], check=True)  # shutil's own follows 4,000 folders by recursion
    return Outcome(room, name, escaped, error, round(milliseconds, 1))


def _outside(place: Path) -> set[str]:
    """Every file near the folder that is not in it."""
    root = place.parents[1]
    return {str(path) for path in root.rglob("*") if place not in path.parents and path != place}


def _escaped(place: Path, before: set[str]) -> str:
    new = _outside(place) - before
    if new:
        return f"outside: {sorted(new)[0]}"
    for folder, folders, files in os.walk(place):
        for each in (*folders, *files):
            path = Path(folder, each)
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                return f"inside: {path.relative_to(place)} is no file or folder"
            if path.is_file() and (path.stat().st_mode & 0o6000 or path.stat().st_nlink > 1):
                return f"inside: {path.relative_to(place)} has set-uid or another name elsewhere"
    return ""


def _rooms() -> dict[str, tuple[Opener, tuple[type[Exception], ...]]]:
    from contract.evaluation import FILE, MAX_BYTES
    from functions.common import archived
    from functions.common.errors import OutputInvalid
    from local_aws.sagemaker.registry import model_data
    from training_code.evaluation import champion

    def deploy(packed: bytes, place: Path) -> None:
        source = place.with_suffix(".tar.gz")
        source.write_bytes(packed)
        try:
            model_data.unpack(source, place / "model")
        finally:
            source.unlink()

    def register(packed: bytes, place: Path) -> None:
        archived.find(io.BytesIO(packed), "s3://bucket/key", FILE, MAX_BYTES)

    def compare(packed: bytes, place: Path) -> None:
        source = place / "model.tar.gz"
        source.write_bytes(packed)
        champion._read(source)

    return {
        "local AWS: a model": (deploy, (model_data.ModelDataError,)),
        "register-model: an evaluation": (register, (OutputInvalid,)),
        "training: the champion": (compare, (champion._Incomparable,)),
    }
