"""Pictures that show little: blurred, dark, bright, blank, much smaller or longer than the others.

What a fifth of a data set has is how its pictures are: it is a note, and no finding of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from doctor.findings import Finding, Kind
from doctor.pictures.album import Album
from doctor.pictures.look import Measures
from doctor.shown import shown
from doctor.usual import surprise

_USUAL: Final = 0.2
_BLANK_SPREAD: Final = 3.0
_DARK_LEVEL: Final = 50
_BRIGHT_LEVEL: Final = 215
_BLURRED_FINENESS: Final = 0.05
"""Of 450 sharp photographs, small pictures and digits the least was 0.067; blurred by a Gaussian of a
hundredth
of their longer side nearly all are below."""
_UNUSUAL: Final = 3.0
"""Robust standard deviations."""
_SMALLER: Final = 4.0
_LONGER: Final = 2.5


def quality(album: Album) -> tuple[list[Finding], list[str]]:
    """What is found, and notes about what is usual in this data set."""
    findings: list[Finding] = []
    notes: list[str] = []
    for kind, which, score, reason in _tests(album):
        rows = np.flatnonzero(which)
        if len(rows) > max(4, _USUAL * len(album)):
            notes.append(
                f"{len(rows)} of {len(album)} pictures are {_WORDS[kind]}: that is how they are here."
            )
            continue
        for row in rows.tolist():
            findings.append(Finding(kind, float(score[row]), reason(row), (shown(album, row),)))
    return findings, notes


_WORDS: Final = {
    Kind.BLANK: "of one colour",
    Kind.DARK: "dark",
    Kind.BRIGHT: "bright",
    Kind.BLURRED: "blurred",
    Kind.SIZE: "of an unusual size",
}


class _Reason:
    """A reason in words, made when it is asked for."""

    def __init__(self, words: str, values: NDArray[np.float32] | None = None) -> None:
        self._words, self._values = words, values

    def __call__(self, row: int) -> str:
        return self._words if self._values is None else self._words.format(self._values[row])


def _tests(album: Album) -> Iterator[tuple[Kind, NDArray[np.bool_], NDArray[np.float32], _Reason]]:
    """Each kind: which pictures, how much (0 to 1), and why."""
    if not len(album):
        return
    column = dict(zip(Measures._fields, album.measures.T, strict=True))
    dark, bright, spread, fineness = (column[name] for name in ("dark", "bright", "spread", "fineness"))
    blank = spread < _BLANK_SPREAD
    yield Kind.BLANK, blank, 1 - spread / _BLANK_SPREAD, _Reason("is of one colour all over")
    yield (
        Kind.DARK,
        ~blank & (bright < _DARK_LEVEL),
        1 - bright / _DARK_LEVEL,
        _Reason("is dark: 95% of it is below grey level {:.0f} of 255", bright),
    )
    yield (
        Kind.BRIGHT,
        ~blank & (dark > _BRIGHT_LEVEL),
        (dark - _BRIGHT_LEVEL) / (255 - _BRIGHT_LEVEL),
        _Reason("is bright: 95% of it is above grey level {:.0f} of 255", dark),
    )
    unusual = surprise(-np.log(np.maximum(fineness, 1e-4))) > _UNUSUAL
    yield (
        Kind.BLURRED,
        ~blank & unusual & (fineness < _BLURRED_FINENESS),
        1 - fineness / _BLURRED_FINENESS,
        _Reason("is blurred: it has next to no fine edges"),
    )
    yield from _sizes(album)


def _sizes(album: Album) -> Iterator[tuple[Kind, NDArray[np.bool_], NDArray[np.float32], _Reason]]:
    sides = album.sizes.astype(np.float32)
    shorter = sides.min(1)
    usual = float(np.median(shorter))
    smaller = usual / np.maximum(shorter, 1)
    length = np.log(sides[:, 0] / np.maximum(sides[:, 1], 1))
    longer = np.exp(np.abs(length - np.median(length)))
    small = (smaller >= _SMALLER) | ((shorter < 8) & (usual >= 16))
    long = longer >= _LONGER
    yield (
        Kind.SIZE,
        small,
        np.clip(1 - _SMALLER / (2 * smaller), 0, 1),
        _Reason(f"is small: its shorter side has {{:.0f}} pixels, the others' {usual:.0f}", shorter),
    )
    yield (
        Kind.SIZE,
        long & ~small,
        np.clip(1 - _LONGER / (2 * longer), 0, 1),
        _Reason("is {:.1f} times as long or as tall as the others", longer),
    )
