"""What a job was told about debugging and profiling, checked. Nothing here imports smdebug."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

from contract.debug_rules import DEBUG_RULES, PARAMETER, PROFILE_RULES, RULES
from training_code.config import Config, hint
from training_code.errors import InvalidHyperparameter

_STEPS_BETWEEN_SAVES = 10
_MOST_SAVES = 500
_MOST_RAW_SAVES = 8  # each is twice the size of the network


@dataclass(frozen=True, kw_only=True)
class DebugSettings:
    """`rules` maps the name of each rule to evaluate to its parameters; empty when nothing is watched."""

    rules: Mapping[str, Mapping[str, float]]
    on_trigger: str
    every: int
    """Steps between two saves; 0 leaves it to `saves_every`."""
    raw: bool
    """Whether whole tensors are saved with their reductions."""
    profile: bool
    traced_steps: int

    def off(self) -> DebugSettings:
        """Those of a process that is not watched: of several that train together, the first one is."""
        return dataclasses.replace(self, rules={}, profile=False)

    @staticmethod
    def of(config: Config) -> DebugSettings:
        """The settings in a job's hyperparameters.

        Raises:
            InvalidHyperparameter: an unknown rule or parameter, or a value that is no number.
        """
        names = _named(config.debug_rules)
        given = _parameters(config.debug_parameters, names)
        rules = {name: {**RULES[name], **given.get(name, {})} for name in names}
        return DebugSettings(
            rules=rules,
            on_trigger=config.on_trigger,
            every=config.debug_every,
            raw=config.debug_save == "tensors",
            profile=config.profile == "on",
            traced_steps=config.profile_steps if config.profile == "on" else 0,
        )

    @property
    def debug_rules(self) -> dict[str, Mapping[str, float]]:
        """Those that look at tensors."""
        return {name: values for name, values in self.rules.items() if name in DEBUG_RULES}

    @property
    def profile_rules(self) -> dict[str, Mapping[str, float]]:
        """Those that look at times and utilisation; none unless the job is profiled."""
        return {name: values for name, values in self.rules.items() if name in PROFILE_RULES and self.profile}

    def saves_every(self, total_steps: int) -> int:
        """Steps between two saves of a training of `total_steps`: bounded cost, bounded disk."""
        most = _MOST_RAW_SAVES if self.raw else _MOST_SAVES
        return self.every or max(_STEPS_BETWEEN_SAVES, math.ceil(total_steps / most))


def _named(text: str) -> list[str]:
    """The rules that `debug_rules` names: none, all, or a list."""
    names = [name for name in (part.strip() for part in text.split(",")) if name]
    if not names or names == ["none"]:
        return []
    if names == ["all"]:
        return list(RULES)
    for name in names:
        if name not in RULES:
            raise InvalidHyperparameter(
                f"debug_rules: there is no rule {name!r}{hint(name, RULES)}; "
                f"there are: all, none, {', '.join(sorted(RULES))}"
            )
    return [name for name in RULES if name in names]


def _parameters(text: str, names: list[str]) -> dict[str, dict[str, float]]:
    if not text:
        return {}
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidHyperparameter(f"debug_parameters is not JSON: {error}") from None
    if not isinstance(content, dict) or not all(isinstance(each, dict) for each in content.values()):
        raise InvalidHyperparameter('debug_parameters has to be like {"overfit": {"patience": 3}}')
    for rule, values in content.items():
        if rule not in RULES:
            raise InvalidHyperparameter(f"debug_parameters: there is no rule {rule!r}{hint(rule, RULES)}")
        for key, value in values.items():
            if key not in RULES[rule]:
                raise InvalidHyperparameter(
                    f"debug_parameters: the rule {rule!r} has no parameter {key!r}{hint(key, RULES[rule])}; "
                    f"it has: {', '.join(RULES[rule]) or 'none'}"
                )
            if isinstance(value, bool) or not isinstance(value, int | float) or not PARAMETER.holds(value):
                raise InvalidHyperparameter(f"debug_parameters: {rule}.{key}={value!r} is not a number")
    return {rule: dict(values) for rule, values in content.items() if rule in names}
