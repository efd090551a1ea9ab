"""One split: which pictures it has, what they show, and their decoded images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from torch import Tensor

from training_code.data.decoded_images import DecodedImages

DIGEST_BYTES: Final = 32
"""Of one SHA-256."""


@dataclass(frozen=True)
class Skipped:
    """A file that could not be used, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Split:
    """The usable pictures of train, valid or test.

    `labels`, `files` and `digests` follow the order of `images`. `fingerprint` covers the size and content of
    every picture file, skipped ones included, with its name, or with its class where a list gave the name.
    Two splits of one fingerprint have the same pictures in the same order.
    """

    name: str
    images: DecodedImages
    labels: Tensor
    files: tuple[str, ...]
    fingerprint: str
    digests: bytes
    """SHA-256 of each picture file, one after the other: a set of them would take six times the memory."""
    skipped: tuple[Skipped, ...]

    def __len__(self) -> int:
        return len(self.files)
