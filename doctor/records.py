"""What the doctor is given: one record a picture, from a folder or from a manifest's lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """One picture, which is read when it is its turn.

    Attributes:
        name: what people and the decisions call it: a path below the folder, or the manifest's name.
        label: its class.
        split: train, valid or test; None: not dealt out yet.
        read: its bytes, or OSError.
        size: in bytes, if that is known.
        sha256: of its content; empty: found out when it is read.
    """

    name: str
    label: str
    split: str | None
    read: Callable[[], bytes]
    size: int = 0
    sha256: str = ""


class BadManifest(ValueError):
    """A line that is no picture's; the message says which and what it lacks."""


def of_manifest(lines: Iterable[Mapping[str, Any]], read: Callable[[str], bytes]) -> list[Record]:
    """The pictures of a data set's version.

    Args:
        lines: each with `key`, `sha256`, `label`, `split`, `size` and `name`.
        read: the content of a key.

    Raises:
        BadManifest: a line lacks something.
    """
    records = []
    for number, line in enumerate(lines, 1):
        missing = [
            field for field in ("key", "sha256", "label", "split", "size", "name") if field not in line
        ]
        if missing:
            raise BadManifest(f"line {number} of the manifest has no {', '.join(missing)}")
        records.append(
            Record(
                name=str(line["name"]),
                label=str(line["label"]),
                split=line["split"],
                read=_reading(read, str(line["key"])),
                size=int(line["size"]),
                sha256=str(line["sha256"]),
            )
        )
    return records


def _reading(read: Callable[[str], bytes], key: str) -> Callable[[], bytes]:
    return lambda: read(key)
