"""Putting a profile to the rules, now and then while a training runs, and once over the whole of it.

What is found while it runs is found in its last steps alone. What is told in the end is judged anew over the
whole training, and a rule that finds nothing then has found nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from contract.debug_rules import CAUSES
from training_code.findings import Findings, RuleState
from training_code.profiling.profile import Profile
from training_code.profiling.rules import OF_GPUS, RULES, Values

_SECONDS_BETWEEN_LOOKS: Final = 10.0
_LOOKED_AT: Final = 512 * 1024
"""Bytes at the end of each file that are judged while the training runs."""


class ProfileRules:
    """Puts the profile in `folder` to the rules, now and then."""

    def __init__(self, folder: Path, rules: Mapping[str, Values], findings: Findings) -> None:
        self._folder, self._rules, self._findings = folder, rules, findings
        self._states = {name: RuleState(rule=name, kind="profile") for name in rules}
        findings.rules.extend(self._states.values())
        self._looked = 0.0

    def evaluate(self, *, final: bool = False) -> None:
        """Look, if the last look is long enough ago or this is the last one, which sees everything."""
        now = time.monotonic()
        if not self._rules or (not final and now - self._looked < _SECONDS_BETWEEN_LOOKS):
            return
        self._looked = now
        profile = Profile.read(self._folder, None if final else _LOOKED_AT)
        before = self._taken_back() if final else {}
        for name in sorted(self._rules, key=lambda each: len(CAUSES.get(each, ()))):
            self._put(name, profile)
        for name, step in before.items():
            self._confirm(name, step)

    def _taken_back(self) -> dict[str, int]:
        """Forget what was found of a part of the training: the rules, and where they first triggered."""
        before = {
            name: state.first_step for name, state in self._states.items() if state.first_step is not None
        }
        self._findings.findings[:] = [each for each in self._findings.findings if each.kind != "profile"]
        for name in before:
            self._states[name].first_step = None
            self._states[name].explained_by = ""
        return before

    def _confirm(self, name: str, step: int) -> None:
        """What the whole training shows as well was first seen at `step`; else say why it is not told."""
        state, finding = self._states[name], self._findings.of(name)
        if state.first_step is None:
            state.note = "in a part of the training only"
            return
        state.first_step = step
        if finding is not None:
            finding.step = step

    def _put(self, name: str, profile: Profile) -> None:
        state = self._states[name]
        if name in OF_GPUS and not profile.gpus:
            state.note = "no GPU"
            return
        if name == "load_balancing" and profile.gpus < 2:
            state.note = "one GPU"
            return
        state.evaluated += 1
        problem = RULES[name](profile, self._rules[name])
        if problem is not None:
            step = int(profile.steps["step"][-1]) if len(profile.steps.get("step", ())) else 0
            self._findings.add(state, step, problem)
