"""Dealing pictures out to train, valid and test: stratified, seeded, stable when pictures are added."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

FRACTIONS = {"valid": 0.15, "test": 0.15}
SEED = 0

Key = tuple[str, str]


def fill(
    pictures: Iterable[Key],
    missing: Sequence[str],
    assigned: Mapping[Key, str] | None = None,
    seed: int = SEED,
) -> dict[Key, str]:
    """Chooses a split for every picture.

    Each class gives 15 % of its pictures (at least one where it has enough) to each missing one of valid and
    test; the rest is train. Which ones depends on the seed and their names only, not on the order they are
    given in.

    Args:
        pictures: (class, file name) of each.
        missing: the splits to make; train always takes the rest.
        assigned: splits given earlier. They are kept, so a picture once in test is never trained on.
    """
    wanted = [split for split in ("test", "valid") if split in missing]
    by_class: dict[str, list[Key]] = defaultdict(list)
    for key in pictures:
        by_class[key[0]].append(key)
    chosen: dict[Key, str] = {}
    for keys in by_class.values():
        for key in keys:
            if (assigned or {}).get(key) in (*wanted, "train"):
                chosen[key] = (assigned or {})[key]
        have = Counter(chosen[key] for key in keys if key in chosen)
        undecided = sorted(
            (key for key in keys if key not in chosen), key=lambda key: (_rank(key, seed), key)
        )
        for split in wanted:
            quota = max(1, round(len(keys) * FRACTIONS[split])) - have[split]
            room = len(undecided) - (0 if have["train"] else 1)  # train is never left without a picture
            for key in undecided[: max(0, min(quota, room))]:
                chosen[key] = split
            undecided = [key for key in undecided if key not in chosen]
        chosen |= dict.fromkeys(undecided, "train")
    return chosen


def _rank(key: Key, seed: int) -> str:
    return hashlib.sha256(f"{seed}\0{key[0]}\0{key[1]}".encode("utf-8", "surrogateescape")).hexdigest()
