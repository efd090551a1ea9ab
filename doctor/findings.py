"""What the doctor finds: its kinds, how bad each is, and what it proposes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from contract.picture_decisions import Action
from doctor.records import Record

VERSION: Final = 1
"""Of the form of findings.json; raised when a reader of the last one would misread it."""


class Kind(StrEnum):
    """What can be wrong, the worst first."""

    CONTRADICTION = "contradiction"
    """One picture in two classes."""
    LEAK = "leak"
    """One picture in two splits."""
    UNREADABLE = "unreadable"
    WRONG_LABEL = "wrong-label"
    SPELLINGS = "spellings"
    """One class under two names."""
    OVERLAP = "overlap"
    """Two classes that cannot be told apart."""
    SMALL_CLASS = "small-class"
    DUPLICATE = "duplicate"
    """One picture twice in one class and split."""
    BLANK = "blank"
    ODD = "odd"
    """Unlike all others."""
    BLURRED = "blurred"
    DARK = "dark"
    BRIGHT = "bright"
    SIZE = "size"
    """Much smaller or longer than the others."""


_WEIGHT: Final = {kind: 1 - 0.06 * place for place, kind in enumerate(Kind)}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a finding is about."""

    name: str
    sha256: str
    label: str
    split: str | None
    width: int = 0
    height: int = 0
    size: int = 0
    record: Record | None = None

    def describe(self) -> dict[str, Any]:
        """As in findings.json."""
        return {
            "picture": self.name,
            "sha256": self.sha256,
            "label": self.label,
            "split": self.split,
            "width": self.width,
            "height": self.height,
            "size": self.size,
        }


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to do with one of a finding's pictures.

    Attributes:
        picture: which of them.
        action: None: somebody should look.
        label: the class that it seems to belong to, if another.
        split: the split that it should be in, if another.
    """

    picture: int
    action: Action | None
    label: str = ""
    split: str = ""

    def describe(self) -> dict[str, Any]:
        """As in findings.json."""
        return {
            "picture": self.picture,
            "action": self.action or "look",
            "label": self.label,
            "split": self.split,
        }


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or looks so.

    Attributes:
        kind: of what sort.
        score: 0 to 1, how sure or how much, among findings of its kind.
        reason: in words, as it goes on after the picture's name, or a sentence's rest after the classes.
        pictures: those concerned, the one to do something with first; none where it is about classes.
        proposals: for some of the pictures.
        classes: those concerned.
        facts: figures behind it.
    """

    kind: Kind
    score: float
    reason: str
    pictures: tuple[Picture, ...] = ()
    proposals: tuple[Proposal, ...] = ()
    classes: tuple[str, ...] = ()
    facts: tuple[tuple[str, float | str | bool], ...] = ()

    @property
    def severity(self) -> float:
        """0 to 1, across kinds."""
        return _WEIGHT[self.kind] * (0.7 + 0.3 * self.score)

    def describe(self) -> dict[str, Any]:
        """As in findings.json."""
        return {
            "kind": self.kind,
            "severity": round(self.severity, 4),
            "score": round(self.score, 4),
            "reason": self.reason,
            "pictures": [picture.describe() for picture in self.pictures],
            "proposals": [proposal.describe() for proposal in self.proposals],
            "classes": list(self.classes),
            "facts": dict(self.facts),
        }
