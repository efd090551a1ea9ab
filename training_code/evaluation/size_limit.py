"""A data set whose evaluation could be too large is refused before it is decoded."""

from __future__ import annotations

from contract.evaluation import MAX_BYTES
from contract.evaluation_size import json_bytes, most_bytes, too_large
from training_code.data.dataset import Found
from training_code.errors import UnusableDataset


def check(found: Found) -> None:
    """See that the evaluation of these pictures can be read.

    Raises:
        UnusableDataset: the classes' names, or their number, make it too large.
    """
    most = bound(found)
    if most > MAX_BYTES:
        raise UnusableDataset(too_large(found.classes, most, MAX_BYTES))


def bound(found: Found) -> int:
    """The most bytes that evaluation.json can have."""
    of_class = {name: files.by_class for name, files in found.files.items()}
    pictures = {name: sum(map(len, each.values())) for name, each in of_class.items()}
    tested, trained = (
        max(json_bytes(name) for names_of in of_class[split].values() for name in names_of)
        for split in ("test", "train")
    )
    return most_bytes(found.classes, pictures["test"], pictures["valid"], tested, trained)
