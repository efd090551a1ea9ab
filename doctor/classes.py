"""Classes as a whole: too small, two names for one, two that cannot be told apart."""

from __future__ import annotations

import unicodedata
from collections import Counter, defaultdict
from typing import Final

import numpy as np

from doctor.findings import Finding, Kind
from doctor.pictures.album import Album
from doctor.shown import shown
from judging.labels import Judgement

_LEAST: Final = 10
_LEAST_SHARE: Final = 0.1
"""Of the median class."""
_OVERLAP: Final = 0.25
_EXAMPLES: Final = 6


def classes(album: Album, judgement: Judgement | None) -> list[Finding]:
    """What is found about classes."""
    findings = _small(album) + _spellings(album)
    return findings + (_overlaps(album, judgement) if judgement else [])


def _small(album: Album) -> list[Finding]:
    counts = Counter(record.label for record in album.records)
    if len(counts) < 2:
        return []
    usual = float(np.median(list(counts.values())))
    least = max(_LEAST, _LEAST_SHARE * usual)
    return [
        Finding(
            Kind.SMALL_CLASS,
            1 - count / least,
            f"has {count} picture{'s' * (count > 1)}; half of the classes have {usual:.0f} or more",
            classes=(label,),
            facts=(("count", count),),
        )
        for label, count in sorted(counts.items())
        if count < least
    ]


def _spellings(album: Album) -> list[Finding]:
    same: dict[str, list[str]] = defaultdict(list)
    for label in album.classes:
        same[_plain(label)].append(label)
    return [
        Finding(Kind.SPELLINGS, 1.0, f"are spellings of one name: {_codes(labels)}", classes=tuple(labels))
        for labels in same.values()
        if len(labels) > 1
    ]


def _plain(label: str) -> str:
    """A class's name without what spellings differ in: composition, case, spaces, hyphens and underscores."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    return "".join(each for each in text if each.isalnum()) or label


def _codes(labels: list[str]) -> str:
    """The names, so that two that look the same do not."""
    return ", ".join(ascii(label) for label in labels)


def _overlaps(album: Album, judgement: Judgement) -> list[Finding]:
    labels, names = album.labels(), album.classes
    count = np.bincount(labels, minlength=len(names))
    taken: Counter[tuple[int, int]] = Counter()
    wrong = judgement.probability.argmax(1).numpy()
    for truth, answer in zip(labels.tolist(), wrong.tolist(), strict=True):
        if truth != answer:
            taken[min(truth, answer), max(truth, answer)] += 1
    findings = []
    for (one, two), mixed in taken.items():
        # Of two classes that are the same, half of the pictures are taken for the other.
        share = mixed / min(count[one], count[two]) / 2
        if share < _OVERLAP or mixed < _LEAST:
            continue
        rows = np.flatnonzero(((labels == one) & (wrong == two)) | ((labels == two) & (wrong == one)))
        findings.append(
            Finding(
                Kind.OVERLAP,
                min(1.0, share),
                f"are hard to tell apart: {mixed} of their {count[one] + count[two]} pictures are taken "
                "for the other",
                tuple(shown(album, row) for row in rows[:_EXAMPLES].tolist()),
                classes=(names[one], names[two]),
                facts=(("mixed", mixed),),
            )
        )
    return findings
