"""The rules that a data set keeps, whoever brought it: each content once, every class in every split."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from contract.datasets import SPLITS, SUFFIXES
from contract.datasets.manifest import Counts, Picture
from contract.words import listed

_OF_SYSTEMS: Final = frozenset(
    {"__macosx", "@eadir", "$recycle.bin", "system volume information", "thumbs.db", "desktop.ini"}
)
"""What systems put beside people's files, in lower case: macOS into archives a file of attributes for each,
named as that is; NAS boxes thumbnails; Windows its bins, thumbnails and settings.
"""
_ORDER: Final = {"test": 0, "valid": 1, "train": 2}
_LISTED: Final = 5


@dataclass(frozen=True)
class Cleaned:
    """The pictures that stay, those that are copies of one that stays, and those of several classes."""

    pictures: tuple[Picture, ...]
    copies: tuple[tuple[Picture, Picture], ...]
    """The copy and the picture that stays."""
    contradictions: tuple[tuple[Picture, ...], ...]
    """The same content under several classes: one label is wrong, so none is taken."""


def once(pictures: Iterable[Picture]) -> Cleaned:
    """One picture of each content: the copy in test stays before valid before train, so that nothing tested
    was learned. A picture without a split goes last.
    """
    by_content: dict[str, list[Picture]] = defaultdict(list)
    for picture in sorted(pictures, key=lambda each: (_ORDER.get(each.split, 3), each.label, each.name)):
        by_content[picture.content].append(picture)
    kept, copies, contradictions = [], [], []
    for same in by_content.values():
        if len({picture.label for picture in same}) > 1:
            contradictions.append(tuple(same))
            continue
        kept.append(same[0])
        copies += [(copy, same[0]) for copy in same[1:]]
    return Cleaned(tuple(sorted(kept)), tuple(copies), tuple(contradictions))


def named_once(pictures: Iterable[Picture]) -> list[Picture]:
    """The pictures, none of which has its name twice in its class and split: `a.png` is `a~2.png` then."""
    used: Counter[tuple[str, str, str]] = Counter()
    named = []
    for picture in sorted(pictures):
        place = (picture.split, picture.label, picture.name)
        used[place] += 1
        if used[place] > 1:
            path = PurePosixPath(picture.name)
            picture = replace(picture, name=str(path.with_name(f"{path.stem}~{used[place]}{path.suffix}")))
        named.append(picture)
    return named


def same_text(name: str) -> str:
    """A name in the one spelling that all its spellings share: macOS writes é as two characters."""
    return unicodedata.normalize("NFC", name)


def is_picture(name: str) -> bool:
    """Whether a file is one to train on, by its path below its split, or below its class."""
    path = PurePosixPath(name)
    return path.suffix.lower() in SUFFIXES and not any(is_hidden(part) for part in path.parts)


def is_hidden(name: str) -> bool:
    """Whether a file or a folder is left alone for its name, with all that is in it."""
    return name.startswith(".") or name.lower() in _OF_SYSTEMS


@dataclass(frozen=True)
class Problem:
    """Why a job cannot be trained on a data set."""

    what: str
    """After "the data set ...", such as `has one class only (cat)`."""
    remedy: str


def problem(classes: Mapping[str, Counts]) -> Problem | None:
    """What keeps these classes from being trained on; None for nothing."""
    if not classes:
        return Problem("has no picture", "pictures belong into one folder per class")
    if len(classes) == 1:
        (only,) = classes
        return Problem(
            f"has one class only ({only})", "a classifier needs two or more: add pictures of something else"
        )
    for split in SPLITS:
        lacking = [label for label, counts in classes.items() if not counts[split]]
        if lacking:
            return Problem(
                f"has no picture of {listed(lacking, _LISTED)} in {split}",
                "every class needs pictures in train, valid and test: add some, or take that class away",
            )
    return None
