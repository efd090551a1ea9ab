"""The line of a job's log that tells what an epoch came to: the training writes it, the CLI reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_FORM = (
    "epoch={epoch} train_loss={train_loss:.6f} valid_loss={valid_loss:.6f} "
    "valid_accuracy={valid_accuracy:.6f} ({seconds:.1f} s, {images_per_second:.0f} images/s)"
)
_NUMBER = r"(?:[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|nan|-?inf)"
_PAIR = re.compile(rf"(\w+)=({_NUMBER})")
_LINE = re.compile(rf"epoch=\d+(?: \w+={_NUMBER})+(?: \([^()]*\))?\s*")
"""The whole of it, of older training code too."""


def write(epoch: Mapping[str, float]) -> str:
    """The line of an epoch's numbers."""
    return _FORM.format_map(epoch)


def read(line: str) -> dict[str, float] | None:
    """The numbers of one `epoch=3 train_loss=... valid_accuracy=...` line, or None for any other line."""
    if not _LINE.fullmatch(line):
        return None
    return {name: float(value) for name, value in _PAIR.findall(line)}
