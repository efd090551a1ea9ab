"""How large evaluation.json can get, known before anything is trained.

A data set whose evaluation could exceed `MAX_BYTES` is refused before it is decoded: its model would be
trained, paid for, and never registered.
"""

from __future__ import annotations

import json
from typing import Final

from contract.evaluation import MAX_BYTES, MAX_LEAKED_PAIRS
from training_code.data.dataset import Found
from training_code.errors import UnusableDataset
from training_code.evaluation.scores import MAX_LISTED_PICTURES, MAX_MISTAKES

_REST: Final = 1024 * 1024
"""All that does not grow with classes or pictures: hyperparameters, findings, the serving form, versions."""
_NUMBERS_OF_A_CLASS: Final = 2 * 3
"""Its counts, of test and valid."""
_NUMBERS_OF_A_PICTURE: Final = 3
"""Its label, and what this model and the champion take it for."""
_AROUND_A_MISTAKE: Final = 128
_AROUND_A_PAIR: Final = 8


def check(found: Found) -> None:
    """See that the evaluation of these pictures can be read.

    Raises:
        UnusableDataset: the classes' names, or their number, make it too large.
    """
    most = bound(found)
    if most > MAX_BYTES:
        raise UnusableDataset(
            f"the evaluation of {len(found.classes)} classes with names of up to "
            f"{max(map(_bytes, found.classes))} bytes could have {most} bytes, and the quality gate reads "
            f"{MAX_BYTES}: give the class folders shorter names, or train fewer classes"
        )


def bound(found: Found) -> int:
    """The most bytes that evaluation.json can have."""
    of_class = {name: files.by_class for name, files in found.files.items()}
    pictures = {name: sum(map(len, each.values())) for name, each in of_class.items()}
    names = [_bytes(each) for each in found.classes]
    listed = min(pictures["test"], MAX_LISTED_PICTURES)
    file, trained = (
        max(_bytes(name) for names_of in of_class[split].values() for name in names_of)
        for split in ("test", "train")
    )
    count = len(str(max(pictures["test"], pictures["valid"])))
    return (
        sum(names)
        + len(names) * (1 + _NUMBERS_OF_A_CLASS * (count + 1))
        + listed * _NUMBERS_OF_A_PICTURE * (len(str(len(names))) + 1)
        + MAX_MISTAKES * (file + 3 * max(names) + _AROUND_A_MISTAKE)
        + MAX_LEAKED_PAIRS * (file + trained + 2 * max(names) + _AROUND_A_PAIR)
        + _REST
    )


def _bytes(text: str) -> int:
    """Of a text in JSON, with its quotes."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass"))
