"""Hyperparameters as a finished search tells them, in the recipe's types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contract.bounds import Number
from contract.hyperparameters import unquoted
from functions.common.errors import InvalidRecipe
from functions.common.recipe_keys import HYPERPARAMETERS, Flag, shown


def typed(hyperparameters: Mapping[str, str]) -> dict[str, Any]:
    """A job's hyperparameters in the recipe's types.

    Raises InvalidRecipe for a number that is none.

    SageMaker keeps them all as text, a tuning job's categorical values sometimes JSON-quoted (`"16"` with the
    quotes). What a recipe does not know (`run`, `_tuning_objective_metric`) is left out.
    """
    values: dict[str, Any] = {}
    for key, text in hyperparameters.items():
        spec = HYPERPARAMETERS.get(key)
        if spec is None:
            continue
        plain = unquoted(text)
        if isinstance(spec, Number):
            values[key] = _number(key, plain)
        else:
            values[key] = plain == "true" if isinstance(spec, Flag) else plain
    return values


def _number(key: str, text: str) -> int | float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise InvalidRecipe(f"the search's {key} = {shown(text)} is no number")
