"""Dealing pictures out to train, valid and test: stratified, seeded, by content, in groups.

Which pictures are dealt to which split follows from their contents, so a new name changes nothing. What was
in a split before stays there, so a new neighbour moves nothing from test to train.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

FRACTIONS: Final = {"valid": 0.15, "test": 0.15}
SEED: Final = 0
SPLIT_NAMES: Final = {
    "train": "train",
    "training": "train",
    "valid": "valid",
    "val": "valid",
    "validation": "valid",
    "dev": "valid",
    "test": "test",
    "testing": "test",
}
"""What people call them, in lower case."""
_STRICTEST: Final = ("test", "valid", "train")


@dataclass(frozen=True)
class Candidate:
    """A picture to deal out."""

    content: str
    label: str
    group: str = ""
    """Pictures of one group go to one split; empty for none."""


def fill(
    pictures: Iterable[Candidate],
    missing: Sequence[str],
    assigned: Mapping[str, str] | None = None,
    seed: int = SEED,
) -> dict[str, str]:
    """The split of each picture, by its content.

    Each class gives 15 % of its pictures (at least one where it has enough) to each missing one of valid and
    test; the rest is train. A group counts for the class that most of it is of.

    Args:
        pictures: all that may go into the missing splits.
        missing: the splits to make; train always takes the rest.
        assigned: the split that contents had before, which they keep. A group of which one picture was in
            test is in test.
    """
    wanted = [split for split in ("test", "valid") if split in missing]
    groups: dict[str, list[Candidate]] = defaultdict(list)
    for picture in pictures:
        groups[f"group {picture.group}" if picture.group else picture.content].append(picture)
    total = Counter(picture.label for group in groups.values() for picture in group)
    have: Counter[tuple[str, str]] = Counter()
    chosen: dict[str, str] = {}

    def choose(group: Sequence[Candidate], split: str) -> None:
        for picture in group:
            chosen[picture.content] = split
            have[picture.label, split] += 1

    undecided = []
    for name, group in groups.items():
        before = {(assigned or {}).get(picture.content) for picture in group}
        split = next((each for each in _STRICTEST if each in before and each in (*wanted, "train")), None)
        if split:
            choose(group, split)
        else:
            undecided.append((_rank(name, group, seed), group))
    undecided.sort(key=lambda ranked: ranked[0])
    for split in wanted:
        rest = []
        for rank, group in undecided:
            labels = Counter(picture.label for picture in group)
            label = min(labels, key=lambda each: (-labels[each], each))
            open_places = max(1, round(total[label] * FRACTIONS[split])) - have[label, split]
            placed = sum(have[label, each] for each in wanted)
            # Train is never left without a picture of a class, and a group does not fill a split twice over.
            if open_places > 0 and total[label] - placed > len(group) and len(group) <= 2 * open_places:
                choose(group, split)
            else:
                rest.append((rank, group))
        undecided = rest
    for _, group in undecided:
        choose(group, "train")
    return chosen


def _rank(name: str, group: Sequence[Candidate], seed: int) -> str:
    """A place in line that follows from the content, or from a group's name, and from nothing else."""
    text = name if len(group) > 1 or group[0].group else group[0].content
    return hashlib.sha256(f"{seed}\0{text}".encode("utf-8", "surrogateescape")).hexdigest()
