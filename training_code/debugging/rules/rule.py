"""What every rule shares: reading vectors of a step, patience, and saying what was found."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training_code.debugging.smdebug_adapter import Rule
from training_code.findings import Problem

Vector = NDArray[np.float32]


class TrainingRule(Rule):  # type: ignore[misc]
    """Judges one saved step after another.

    A subclass's `look` answers what is wrong at a step, or nothing. smdebug evaluates it: `invoke_at_step`
    is true when something is wrong, `invoke_rule(rule, raise_eval_cond=True)` then raises.
    """

    def __init__(self, trial: Any, names: Mapping[str, Any], parameters: Mapping[str, float]) -> None:
        """`names` is names.json, `parameters` are the rule's own, all of them."""
        super().__init__(trial, action_str="")
        self.names, self.parameters = names, parameters
        self.problem: Problem | None = None
        self.evaluated = 0
        self._in_a_row = 0

    def invoke_at_step(self, step: int) -> bool:
        """smdebug's entry: whether the rule triggers at `step`.

        Raises:
            TensorUnavailable, TensorUnavailableForStep: the step has not what this rule looks at.
        """
        problem = self.look(step)
        self.evaluated += 1
        self._in_a_row = self._in_a_row + 1 if problem else 0
        self.problem = problem if self._in_a_row >= self.parameters.get("patience", 1) else None
        return self.problem is not None

    @abstractmethod
    def look(self, step: int) -> Problem | None:
        """What is wrong at `step`; nothing when all is well."""

    def vector(self, name: str, step: int) -> Vector:
        """A saved tensor of a step."""
        return self.base_trial.tensor(name).value(step)  # type: ignore[no-any-return]

    def number(self, name: str, step: int) -> float:
        """A saved number of a step."""
        return float(self.vector(name, step).reshape(-1)[0])

    def parameter_names(self, chosen: NDArray[np.bool_], key: str = "parameters") -> list[str]:
        """The names of the chosen entries of a vector over the parameters."""
        return [name for name, each in zip(self.names[key], chosen, strict=True) if each]
