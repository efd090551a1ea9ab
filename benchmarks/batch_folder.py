"""What the benchmark of batches answers: real pictures with broken ones among them, and a job laid out."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import Final

from contract.batch import COUNT, KEYS, LIST, MODEL, NAMED_BELOW, PICTURES, SOURCE, Listed

_BELOW: Final = "_batch/bench/"
_HEAD: Final = 600
"""Bytes that are left of a picture that is cut."""


def fill(folder: Path, sources: list[Path], count: int, broken: int) -> None:
    """Put `count` files into a fresh folder: pictures of these folders in turn, every so many of them broken.

    Broken are, in turn: a picture that is cut, one whose middle is noise, text, a file of no byte.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    found = [path for source in sources for path in sorted(source.rglob("*")) if path.is_file()]
    for number, path in enumerate(found[:count]):
        place = folder / f"{number % 20:02}" / f"{number:05}{path.suffix}"
        place.parent.mkdir(exist_ok=True)
        content = path.read_bytes()
        if number % (count // broken) == 0:
            kind = number // (count // broken) % 4
            content = (content[:_HEAD], _HEAD * b"\x00" + content[_HEAD:], b"no picture at all", b"")[kind]
        place.write_bytes(content)


def pack(model: Path, archive: Path) -> None:
    """A model's folder as the archive that its training leaves."""
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for path in sorted(model.iterdir()):
            tar.add(path, arcname=path.name)


def lay_out(base: Path, archive: Path, folder: Path, most: int | None = None) -> int:
    """A job's folders, as SageMaker makes them; how many pictures it is to answer."""
    shutil.rmtree(base, ignore_errors=True)
    data, config = base / "input" / "data", base / "input" / "config"
    for each in (data / LIST, data / MODEL, config):
        each.mkdir(parents=True)
    (data / MODEL / "model.tar.gz").symlink_to(archive)
    (data / PICTURES).symlink_to(folder)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())[:most]
    with gzip.open(data / LIST / KEYS, "wt", encoding="utf-8") as lines:
        for path in paths:
            content = path.read_bytes()
            etag = hashlib.md5(content).hexdigest()
            lines.write(Listed(_BELOW + path.relative_to(folder).as_posix(), etag, len(content)).line())
    told = {SOURCE: f"s3://bench/{_BELOW}", NAMED_BELOW: _BELOW, COUNT: str(len(paths))}
    (config / "hyperparameters.json").write_text(json.dumps(told))
    (config / "resourceconfig.json").write_text(json.dumps({"hosts": ["algo-1"], "current_host": "algo-1"}))
    return len(paths)
