"""Runs the debugging rules over a folder of saved tensors, once or while it grows.

smdebug's trial reads the folder; each new step is put to each rule by smdebug's `invoke_rule`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training_code.debugging.rules import RULE_CLASSES
from training_code.debugging.rules.rule import TrainingRule
from training_code.debugging.smdebug_adapter import RuleEvaluationConditionMet, invoke_rule, open_trial
from training_code.findings import Findings, RuleState

_COLLECTIONS = "collections"


class RuleRunner:
    """The rules of one job, and what they have found so far."""

    def __init__(self, folder: Path, rules: Mapping[str, Mapping[str, float]], findings: Findings) -> None:
        """`folder` is the job's debug folder; what is found is added to `findings`."""
        self._folder, self._asked, self._findings = folder, rules, findings
        self._trial: Any = None
        self._rules: dict[str, TrainingRule] = {}
        self._states = {name: RuleState(rule=name, kind="debug") for name in rules}
        self._findings.rules.extend(self._states.values())
        self._last = -1

    def evaluate_new(self) -> bool:
        """Put every step that has come since to every rule; true when there was one."""
        if self._trial is None and not self._open():
            return False
        self._trial.look()
        steps = [step for step in self._trial.steps() if step > self._last]
        for step in steps:
            for name, rule in self._rules.items():
                self._put(name, rule, step)
            self._last = step
        return bool(steps)

    def _open(self) -> bool:
        """Whether there is something to read by now."""
        names = self._folder / "names.json"
        collections = self._folder / "tensors" / _COLLECTIONS
        if not names.exists() or not any(collections.rglob("*_collections.json")):
            return False
        try:
            self._names = json.loads(names.read_text(encoding="utf-8"))
        except ValueError:  # half written
            return False
        self._trial = open_trial(self._folder / "tensors")
        self._rules = {
            name: RULE_CLASSES[name](self._trial, _Names(names, self._names), parameters)
            for name, parameters in self._asked.items()
        }
        return True

    def _put(self, name: str, rule: TrainingRule, step: int) -> None:
        state = self._states[name]
        try:
            invoke_rule(rule, start_step=step, end_step=step + 1, raise_eval_cond=True)
        except RuleEvaluationConditionMet:
            assert rule.problem is not None  # noqa: S101  (it triggered)
            self._findings.add(state, step, rule.problem)
        state.evaluated = rule.evaluated


class _Names(Mapping[str, Any]):
    """names.json, read again when a name is asked for that came later (ReLUs are met in the first step)."""

    def __init__(self, path: Path, content: dict[str, Any]) -> None:
        self._path, self._content = path, content

    def __getitem__(self, key: str) -> Any:
        if key == "relus" and not self._content.get(key):
            self._content = json.loads(self._path.read_text(encoding="utf-8"))
        return self._content[key]

    def __iter__(self) -> Any:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)


def evaluate_folder(
    folder: Path, rules: Mapping[str, Mapping[str, float]], findings: Findings | None = None
) -> Findings:
    """All rules over all that lies in a debug folder, also one that a crashed job left."""
    findings = Findings() if findings is None else findings
    RuleRunner(folder, rules, findings).evaluate_new()
    return findings
