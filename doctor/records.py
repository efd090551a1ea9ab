"""What the doctor is given: one record a picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


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
