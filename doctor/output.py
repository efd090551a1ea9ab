"""What the doctor leaves: findings.json, a page, and a CSV of proposed decisions."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from contract.picture_decisions import FILE, FINDINGS, PAGE, Action, Decision, write
from contract.pictures.parts import UndecodablePicture
from contract.pictures.thumbnail import data_address
from doctor.examine import Diagnosis
from doctor.findings import VERSION, Finding, Kind, Picture
from reports.doctor.page import render

_ROWS: Final = 150
"""Findings of a kind that the page shows."""
_COPIES: Final = 6
"""Pictures of a finding that the page shows."""
_THUMBNAIL: Final = 112
_THUMBNAILS: Final = 5_500_000
"""Characters of thumbnails on the page."""
_OTHERS: Final = 4_000
"""Proposals for pictures that are not on the page, which it keeps for the CSV that it saves."""
_FIRST: Final = (Action.DROP, Action.RELABEL, Action.MOVE, Action.KEEP, None)


def leave(diagnosis: Diagnosis, name: str, folder: Path) -> dict[str, Path]:
    """Write all three.

    Args:
        name: what people call the data set.
        folder: made if it is not there.

    Returns:
        Each file by its name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = describe(diagnosis, name)
    decided = decisions(diagnosis.findings)
    texts = {
        FINDINGS: json.dumps(record, indent=1, ensure_ascii=False) + "\n",
        FILE: write(decided),
        PAGE: page(diagnosis, record, decided),
    }
    paths = {}
    for each, text in texts.items():
        paths[each] = folder / each
        paths[each].write_text(text, encoding="utf-8", errors="replace")
    return paths


def describe(diagnosis: Diagnosis, name: str) -> dict[str, Any]:
    """findings.json; docs/doctor.md says what is in it."""
    return {
        "version": VERSION,
        "dataset": name,
        "features": diagnosis.features,
        "out_of_fold_accuracy": diagnosis.accuracy,
        "statistics": diagnosis.statistics(),
        "notes": diagnosis.notes,
        "counts": {
            kind: count for kind in Kind if (count := sum(each.kind is kind for each in diagnosis.findings))
        },
        "findings": [finding.describe() for finding in diagnosis.findings],
    }


def decisions(findings: Iterable[Finding]) -> list[Decision]:
    """One proposal for each picture that something is proposed for, those of the worst findings first."""
    chosen: dict[str, Decision] = {}
    for finding in findings:
        for proposal in finding.proposals:
            picture = finding.pictures[proposal.picture]
            decision = Decision(
                picture.name,
                picture.sha256,
                proposal.action,
                proposal.label,
                proposal.split,
                finding.reason,
                finding.score,
            )
            before = chosen.get(picture.name)
            if before is None or _FIRST.index(decision.action) < _FIRST.index(before.action):
                chosen[picture.name] = decision
    return list(chosen.values())


def page(diagnosis: Diagnosis, record: dict[str, Any], decided: list[Decision]) -> str:
    """The page, with thumbnails of the worst pictures of each kind."""
    proposed = {each.picture: each for each in decided}
    thumbnails = _Thumbnails()
    sections = []
    shown: set[str] = set()
    for kind in Kind:
        found = [each for each in diagnosis.findings if each.kind is kind]
        rows = []
        for finding in found[:_ROWS]:
            if thumbnails.full:
                break
            rows.append(_row(finding, thumbnails, proposed))
            shown |= {picture.name for picture in finding.pictures[:_COPIES]}
        if found:
            sections.append({"kind": str(kind), "total": len(found), "rows": rows})
    others = [each for each in decided if each.picture not in shown]
    left_out = max(0, len(others) - _OTHERS)
    return render(record, sections, [_cells(each) for each in others[:_OTHERS]], left_out)


def _row(finding: Finding, thumbnails: _Thumbnails, proposed: dict[str, Decision]) -> dict[str, Any]:
    pictures = []
    for picture in finding.pictures[:_COPIES]:
        decision = proposed.get(picture.name) or Decision(picture.name, picture.sha256)
        pictures.append(
            picture.describe()
            | {
                "thumbnail": thumbnails.of(picture),
                "action": str(decision.action or ""),
                "to_label": decision.label,
                "to_split": decision.split,
                "reason": decision.reason or finding.reason,
                "score": f"{finding.score if decision.score is None else decision.score:.4f}",
            }
        )
    return {
        "reason": finding.reason,
        "score": finding.score,
        "classes": list(finding.classes),
        "facts": dict(finding.facts),
        "pictures": pictures,
        "more": max(0, len(finding.pictures) - _COPIES),
    }


def _cells(each: Decision) -> list[str]:
    score = "" if each.score is None else f"{each.score:.4f}"
    return [each.picture, each.sha256, each.action or "", each.label, each.split, each.reason, score]


class _Thumbnails:
    """Pictures made small, each once, until there are enough."""

    def __init__(self) -> None:
        self._made: dict[str, str] = {}
        self._characters = 0

    @property
    def full(self) -> bool:
        return self._characters > _THUMBNAILS

    def of(self, picture: Picture) -> str:
        """A data address; empty for what cannot be decoded."""
        if picture.name not in self._made:
            made = _thumbnail(picture)
            self._characters += len(made)
            self._made[picture.name] = made
        return self._made[picture.name]


def _thumbnail(picture: Picture) -> str:
    if picture.record is None:
        return ""
    try:
        return data_address(picture.record.read(), _THUMBNAIL)
    except (OSError, UndecodablePicture):
        return ""
