"""The examination: look at all pictures, compare them, judge labels, list what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from contract.picture_decisions import Action
from doctor import classes, quality
from doctor.duplicates import find, judge
from doctor.features.handmade import Handmade
from doctor.findings import Finding, Kind, Picture, Proposal
from doctor.outliers import ODD, oddness
from doctor.pictures.album import Album, Extractor, fill
from doctor.records import Record
from doctor.shown import shown
from doctor.usual import quantiles
from judging.labels import Judgement
from judging.labels import judge as judge_labels
from judging.out_of_fold import FOLDS
from judging.whitening import turned, whitened

_DIRECTIONS: Final = 256
"""Of features, for telling classes apart."""
_DEALS: Final = 2
"""Of folds, when labels are judged."""
_COMPARED: Final = 64
"""Of features, for distances."""
_MOST_WRONG: Final = 0.1
"""Share of pictures: who has more wrong labels than that wants another network, or other labels."""
_MOST_ODD: Final = 0.01

STAGES: Final = {"Comparing": 2, "Judging labels": 2 * FOLDS * _DEALS}
"""How many pieces each has, beside looking at the pictures."""
OnStep = Callable[[str, int], None]
"""Called with a stage's name and how many more of its pieces are done."""


@dataclass(frozen=True)
class Diagnosis:
    """What was found.

    Attributes:
        findings: the worst first.
        album: all pictures that could be read.
        judgement: of the labels; None where there is nothing to tell apart.
        features: what pictures were told apart by.
        accuracy: share of pictures whose class is predicted from the others, None without a judgement.
        notes: about the data set as a whole.
    """

    findings: list[Finding]
    album: Album
    judgement: Judgement | None
    features: str
    accuracy: float | None
    notes: list[str]

    def statistics(self) -> dict[str, Any]:
        """Counts, sizes and colour modes, as in findings.json."""
        album = self.album
        counts: dict[str, dict[str, int]] = {}
        for record in album.records:
            of_class = counts.setdefault(record.label, {})
            of_class[record.split or ""] = of_class.get(record.split or "", 0) + 1
        sides = album.sizes
        return {
            "pictures": len(album) + len(album.failures),
            "readable": len(album),
            "classes": {label: counts[label] for label in sorted(counts)},
            "width": quantiles(sides[:, 0], 0, 0.5, 1),
            "height": quantiles(sides[:, 1], 0, 0.5, 1),
            "formats": [[kind, mode, count] for (kind, mode), count in album.kinds.most_common()],
        }


def examine(
    records: Sequence[Record],
    extractor: Extractor | None = None,
    jobs: int = 1,
    on_step: OnStep = lambda stage, done: None,
) -> Diagnosis:
    """Examine pictures.

    Args:
        records: of all pictures.
        extractor: makes features of them; None: made by hand, without a network.
        jobs: how many cores to use.
        on_step: is told how far it is.
    """
    extractor = extractor or Handmade()
    album = fill(records, extractor, jobs, lambda done: on_step("Looking at pictures", done))
    duplicates = find.find(album, jobs, lambda: on_step("Comparing", 1))
    judgement = _judged(album, duplicates.group, on_step)
    findings = [_unreadable(record, failure.reason) for record, failure in album.failures]
    findings += judge.judged(album, duplicates, judgement)
    findings += _wrong_labels(album, judgement) if judgement else []
    doubted = {each.pictures[0].name for each in findings if each.kind is Kind.WRONG_LABEL}
    findings += [each for each in _odd(album) if each.pictures[0].name not in doubted]
    on_step("Comparing", 1)
    shows_little, notes = quality.quality(album)
    findings += shows_little + classes.classes(album, judgement)
    findings.sort(key=lambda each: (-each.severity, each.kind, [picture.name for picture in each.pictures]))
    accuracy = None
    if judgement:
        accuracy = float(np.mean(judgement.probability.argmax(1).numpy() == album.labels()))
    return Diagnosis(findings, album, judgement, extractor.name, accuracy, notes)


def _judged(album: Album, group: np.ndarray[Any, np.dtype[np.int64]], on_step: OnStep) -> Judgement | None:
    if len(album.classes) < 2:
        return None
    features = whitened(album.features, _DIRECTIONS)
    return judge_labels(features, album.labels(), group, lambda: on_step("Judging labels", 1), deals=_DEALS)


def _unreadable(record: Record, reason: str) -> Finding:
    picture = Picture(record.name, record.sha256, record.label, record.split, size=record.size, record=None)
    return Finding(Kind.UNREADABLE, 1.0, reason, (picture,), (Proposal(0, Action.DROP),), (record.label,))


def _wrong_labels(album: Album, judgement: Judgement) -> list[Finding]:
    names = album.classes
    findings = []
    suspects = np.flatnonzero(judgement.wrong)
    suspects = suspects[np.argsort(-judgement.suspicion[suspects], kind="stable")]
    for row in suspects[: max(20, round(_MOST_WRONG * len(album)))].tolist():
        record, proposed = album.records[row], names[judgement.proposed[row]]
        suspicion = float(judgement.suspicion[row])
        own = float(judgement.probability[row, names.index(record.label)])
        other = float(judgement.probability[row, judgement.proposed[row]])
        findings.append(
            Finding(
                Kind.WRONG_LABEL,
                suspicion,
                f"is labelled {record.label} and looks like {proposed}",
                (shown(album, row),),
                (Proposal(0, Action.RELABEL if judgement.sure[row] else None, label=proposed),),
                (record.label, proposed),
                (("given", round(own, 4)), ("proposed", round(other, 4))),
            )
        )
    return findings


def _odd(album: Album) -> list[Finding]:
    if len(album) < 20:
        return []
    labels = album.labels()
    overall, within = oddness(turned(album.features, _COMPARED), labels)
    most = np.maximum(overall, within)
    rows = np.argsort(-most)[: max(1, round(_MOST_ODD * len(album)))]
    return [
        Finding(
            Kind.ODD,
            float(1 - ODD / (2 * most[row])),
            "is unlike all other pictures"
            if overall[row] >= ODD
            else f"is unlike the other pictures of {album.records[row].label}",
            (shown(album, int(row)),),
            (Proposal(0, None),),
            (album.records[row].label,),
            (("deviations", round(float(most[row]), 2)),),
        )
        for row in rows
        if most[row] >= ODD
    ]
