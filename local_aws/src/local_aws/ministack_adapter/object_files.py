"""The two files of an S3 object, its bytes and its sidecar, written and removed as one.

The new bytes and the new sidecar are first written under temporary names. The write counts from the moment
the sidecar is renamed. Where the process died between the two renames, `recover` renames the bytes when the
next server starts. As in `core.store` nothing is forced to the disk: a killed process loses nothing, a power
cut may.

Nothing of ministack is imported here: it reads the folder when it is imported, and `recover` comes before.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# ministack's own names: it passes over the first when it loads a bucket, and keys that end so lie elsewhere.
NEW, SIDECAR, VERSIONS = ".tmp", ".meta.json", ".versions"


def write(path: Path, body: bytes | None, sidecar: dict[str, Any]) -> None:
    """Both files of a key (None: the body stays), or, when this raises or the process dies, neither."""
    new_body, new_sidecar = (path.with_name(f"{path.name}{end}{NEW}") for end in ("", SIDECAR))
    # On a failure the body goes first: a body without a new sidecar would count.
    with _removed_on_failure(new_sidecar), _removed_on_failure(new_body):
        _write_file(new_sidecar, json.dumps(sidecar).encode())
        if body is not None:
            _write_file(new_body, body)
        new_sidecar.replace(sidecar_of(path))
        if body is not None:
            new_body.replace(path)


def write_alone(path: Path, body: bytes) -> None:
    """A file that has no sidecar: it counts when it has its name."""
    new = path.with_name(f"{path.name}{NEW}")
    with _removed_on_failure(new):
        _write_file(new, body)
        new.replace(path)


def sidecar_of(path: Path) -> Path:
    """Where all else about a key is kept."""
    return path.with_name(f"{path.name}{SIDECAR}")


def recover(folder: Path) -> None:
    """Finish or undo the writes that a killed server was in."""
    for new in folder.rglob(f"*{NEW}"):
        path = new.with_name(new.name.removesuffix(NEW))
        if path.name.endswith(SIDECAR):
            continue
        waiting = sidecar_of(path)
        alone = new.relative_to(folder).parts[0] == VERSIONS
        if alone or waiting.with_name(f"{waiting.name}{NEW}").exists():
            new.unlink()
        else:
            new.replace(path)
    for new in folder.rglob(f"*{SIDECAR}{NEW}"):
        new.unlink()


def _write_file(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)


@contextlib.contextmanager
def _removed_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise
