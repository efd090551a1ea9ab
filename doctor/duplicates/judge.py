"""What duplicates mean: a contradiction of classes, a leak between splits, or one picture too many."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from contract.picture_decisions import Action
from doctor.duplicates.find import Duplicates, Pair
from doctor.findings import Finding, Kind, Proposal
from doctor.pictures.album import Album
from doctor.shown import shown
from judging.labels import Judgement

_KEPT_FIRST: Final = {"test": 0, "valid": 1, "train": 2, None: 3}
"""Of copies the one in test is kept, so that nothing that is tested was learned."""
_CLEAR: Final = 0.5
"""By how much a class has to be likelier than another for it to be proposed."""


def judged(album: Album, found: Duplicates, judgement: Judgement | None) -> list[Finding]:
    """One finding for each group of copies.

    Args:
        judgement: of the labels, where it is known: a contradiction may be solved by it.
    """
    rows_of: dict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(np.bincount(found.group, minlength=len(album))[found.group] > 1).tolist():
        rows_of[int(found.group[row])].append(row)
    pairs_of: dict[int, list[Pair]] = defaultdict(list)
    for pair in found.near:
        pairs_of[int(found.group[pair.first])].append(pair)
    return [_finding(album, rows, pairs_of[head], judgement) for head, rows in rows_of.items()]


def _finding(album: Album, rows: list[int], pairs: list[Pair], judgement: Judgement | None) -> Finding:
    rows = sorted(rows, key=lambda row: (_KEPT_FIRST[album.records[row].split], -_pixels(album, row)))
    labels = {album.records[row].label for row in rows}
    splits = {album.records[row].split for row in rows}
    exact = len({album.sha256[row] for row in rows}) == 1
    score = 1.0 if exact else min(pair.score for pair in pairs)
    what = "the same file" if exact else f"the same picture ({_how(pairs)})"
    count = f"{len(rows)} times" if len(rows) > 2 else "twice"
    facts = (
        ("exact", exact),
        ("mirrored", any(pair.mirrored for pair in pairs)),
        ("scale", round(min((pair.scale for pair in pairs), default=1.0), 3)),
    )
    if len(labels) > 1:
        kind, where = Kind.CONTRADICTION, f"in the classes {_listed(labels)}"
        proposals = _solved(album, rows, judgement)
    elif len(splits) > 1:
        kind, where = Kind.LEAK, f"in the splits {_listed(filter(None, splits))}"
        proposals = _all_but_first(rows)
    else:
        kind, where = Kind.DUPLICATE, "in one class and split"
        # A copy in one split does little harm, and may be wanted; only what is the same to the byte goes.
        proposals = _all_but_first(rows) if exact else ()
    return Finding(
        kind,
        score,
        f"{what} {count}, {where}",
        tuple(shown(album, row) for row in rows),
        proposals,
        tuple(sorted(labels)),
        facts,
    )


def _pixels(album: Album, row: int) -> int:
    width, height = album.sizes[row].tolist()
    return int(width) * int(height)


def _all_but_first(rows: Sequence[int]) -> tuple[Proposal, ...]:
    return tuple(Proposal(place, Action.DROP) for place in range(1, len(rows)))


def _solved(album: Album, rows: Sequence[int], judgement: Judgement | None) -> tuple[Proposal, ...]:
    """Which label of a contradiction is right, where the others' predictions are clear about it."""
    undecided = tuple(Proposal(place, None) for place in range(len(rows)))
    if judgement is None:
        return undecided
    index = {label: number for number, label in enumerate(album.classes)}
    labels = sorted({album.records[row].label for row in rows})
    mean = judgement.probability[list(rows)].mean(0)
    ranked = sorted(labels, key=lambda label: -float(mean[index[label]]))
    if float(mean[index[ranked[0]]] - mean[index[ranked[1]]]) < _CLEAR:
        return undecided
    right = [place for place, row in enumerate(rows) if album.records[row].label == ranked[0]]
    return tuple(Proposal(place, Action.DROP) for place in range(len(rows)) if place != right[0])


def _how(pairs: Iterable[Pair]) -> str:
    """In which ways copies differ, in words."""
    words = []
    if any(pair.mirrored for pair in pairs):
        words.append("mirrored")
    if any(pair.scale < 0.97 for pair in pairs):
        words.append("cropped")
    return " and ".join(words) or "recompressed or resized"


def _listed(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return " and ".join(filter(None, (", ".join(ordered[:-1]), ordered[-1])))
