"""What the rules found, and the file it is kept in.

findings.json lies in the job's output: the stacks, the report and whoever looks at a crashed job read it.
It is replaced whole at every change, so a reader never sees half of it.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from contract.debug_rules import CAUSES
from contract.evaluation import FINDING_FIELDS
from reports import read_record

FILE: Final = "findings.json"
_FORMAT: Final = 1
_WHERE: Final = 8


@dataclass
class Problem:
    """What a rule sees that is wrong, and what to change."""

    message: str
    change: str
    gain: str = ""
    """What the change is expected to bring."""
    how: str = ""
    """How that was got: measured on a probe, or counted or computed from what was seen."""
    where: list[str] = field(default_factory=list)
    """Layers, classes or devices, the worst first."""


@dataclass(kw_only=True)
class Finding(Problem):
    """What one rule found."""

    rule: str
    kind: str
    """debug or profile."""
    step: int
    """The step at which it was first seen, counted from 0 over all epochs."""
    consequences: list[str] = field(default_factory=list)
    """Rules that triggered later and that this explains."""

    def __post_init__(self) -> None:
        self.where = self.where[:_WHERE]


@dataclass(kw_only=True)
class RuleState:
    """How often a rule looked, and how often it found something."""

    rule: str
    kind: str
    evaluated: int = 0
    triggered: int = 0
    first_step: int | None = None
    last_step: int | None = None
    note: str = ""
    """Why it was not evaluated, where there is a reason."""
    explained_by: str = ""


@dataclass
class Findings:
    """All of them, of one job."""

    on_trigger: str = "report"
    findings: list[Finding] = field(default_factory=list)
    rules: list[RuleState] = field(default_factory=list)
    stopped_by: str = ""

    def of(self, rule: str) -> Finding | None:
        """The finding of one rule."""
        return next((each for each in self.findings if each.rule == rule), None)

    def add(self, state: RuleState, step: int, problem: Problem) -> None:
        """A rule triggered: a finding the first time, unless one of its causes was found before."""
        state.triggered += 1
        state.last_step = step
        if state.first_step is not None:
            return
        state.first_step = step
        cause = next((found for each in CAUSES.get(state.rule, ()) if (found := self.of(each))), None)
        if cause is not None:
            state.explained_by = cause.rule
            cause.consequences.append(state.rule)
            return
        self.findings.append(Finding(rule=state.rule, kind=state.kind, step=step, **vars(problem)))

    def summary(self) -> dict[str, Any]:
        """The form of evaluation.json."""
        return {
            "on_trigger": self.on_trigger,
            "findings": [{key: getattr(each, key) for key in FINDING_FIELDS} for each in self.findings],
        }

    def write(self, folder: Path) -> None:
        """Replace the file in `folder`."""
        content = {"format": _FORMAT, **asdict(self)}
        unfinished = folder / f".{FILE}.unfinished"
        unfinished.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        unfinished.replace(folder / FILE)

    @staticmethod
    def read(folder: Path) -> Findings:
        """Those in `folder`; none when there is no file, or one that cannot be read."""
        content = read_record(folder / FILE) or {}
        return Findings(
            on_trigger=content.get("on_trigger", "report"),
            findings=[Finding(**each) for each in content.get("findings", [])],
            rules=[RuleState(**each) for each in content.get("rules", [])],
            stopped_by=content.get("stopped_by", ""),
        )
