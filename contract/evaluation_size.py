"""How large evaluation.json can get, known before anything is trained.

A model whose evaluation exceeds `MAX_BYTES` would be trained, paid for, and never registered: launchers and
jobs refuse its data set.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Final

from contract.evaluation import MAX_LEAKED_PAIRS

MAX_LISTED_PICTURES: Final = 200_000
"""Of more, the single predictions are left out."""
MAX_MISTAKES: Final = 100
"""Misclassified pictures that are listed."""
_REST: Final = 1024 * 1024
"""All that does not grow with classes or pictures: hyperparameters, findings, the serving form, versions."""
_NUMBERS_OF_A_CLASS: Final = 2 * 3
"""Its counts, of test and valid."""
_NUMBERS_OF_A_PICTURE: Final = 3
"""Its label, and what this model and the champion take it for."""
_AROUND_A_MISTAKE: Final = 128
_AROUND_A_PAIR: Final = 8


def most_bytes(
    classes: Collection[str], tested: int, validated: int, longest_tested: int, longest_trained: int
) -> int:
    """The most bytes that evaluation.json can have.

    Args:
        classes: their names.
        tested, validated: pictures of these splits.
        longest_tested, longest_trained: bytes in JSON of the longest name of a picture.
    """
    names = [json_bytes(each) for each in classes]
    listed = min(tested, MAX_LISTED_PICTURES)
    count = len(str(max(tested, validated)))
    return (
        sum(names)
        + len(names) * (1 + _NUMBERS_OF_A_CLASS * (count + 1))
        + listed * _NUMBERS_OF_A_PICTURE * (len(str(len(names))) + 1)
        + MAX_MISTAKES * (longest_tested + 3 * max(names) + _AROUND_A_MISTAKE)
        + MAX_LEAKED_PAIRS * (longest_tested + longest_trained + 2 * max(names) + _AROUND_A_PAIR)
        + _REST
    )


def too_large(classes: Collection[str], most: int, limit: int) -> str:
    """What is wrong with a data set whose evaluation is too large, and what to do."""
    return (
        f"the evaluation of {len(classes)} classes with names of up to {max(map(json_bytes, classes))} bytes "
        f"could have {most} bytes, and the quality gate reads {limit}: give the class folders shorter names, "
        "or train fewer classes"
    )


def json_bytes(text: str) -> int:
    """Of a text in JSON, with its quotes."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass"))
