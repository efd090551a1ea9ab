"""[tuning.ranges.*]: between which values a hyperparameter is searched.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-ranges.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.bounds import Choice, Number
from functions.common.errors import InvalidRecipe, listed, suggest
from functions.common.recipes.keys import HYPERPARAMETERS, Key, check, quoted

SCALES = {
    "auto": "Auto",
    "linear": "Linear",
    "logarithmic": "Logarithmic",
    "reverse-logarithmic": "ReverseLogarithmic",
}
"""A recipe's words (in any case) and SageMaker's."""

_SCALE = Choice(words=tuple(SCALES))
_TYPE = Choice(words=("continuous", "integer", "categorical"))
MAX_RANGES = 30
MAX_VALUES = 30


@dataclass(frozen=True)
class Range:
    """One searched hyperparameter: `low`, `high` and `scale` for numbers, `values` for categories."""

    name: str
    type: str
    low: float = 0
    high: float = 0
    scale: str = "Auto"
    values: tuple[Any, ...] = ()


def read_ranges(ranges: Mapping[str, Mapping[str, object]], source: str) -> tuple[Range, ...]:
    """All ranges of a recipe.

    Raises:
        InvalidRecipe: an unknown hyperparameter, a bound or value the hyperparameter may not have, bounds
        upside down.
    """
    if len(ranges) > MAX_RANGES:
        raise InvalidRecipe(
            f"{source}: [tuning.ranges] has {len(ranges)} ranges; SageMaker takes {MAX_RANGES}"
        )
    return tuple(_range(name, table, source) for name, table in ranges.items())


def _range(name: str, table: Mapping[str, object], source: str) -> Range:
    where = f"{source}: [tuning.ranges.{name[:60]}]"
    spec = HYPERPARAMETERS.get(name)
    if spec is None:
        near = suggest(name, HYPERPARAMETERS) or ";"
        raise InvalidRecipe(f"{where} is no hyperparameter{near} there are: {listed(HYPERPARAMETERS)}")
    kind = check(_TYPE, table.get("type"), f"{where} type")
    allowed = ("type", "values") if kind == "categorical" else ("type", "min", "max", "scale")
    for key in table:
        if key not in allowed:
            near = suggest(key, allowed) or ";"
            raise InvalidRecipe(
                f"{where} has no key {quoted(key)}{near} a {kind} range has: {listed(allowed)}"
            )
    if kind == "categorical":
        return Range(name=name, type=kind, values=_values(spec, table.get("values"), where))
    return _numeric(name, kind, spec, table, where)


def _values(spec: Key, values: object, where: str) -> tuple[Any, ...]:
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_VALUES:
        raise InvalidRecipe(f"{where} values = {quoted(values)} has to be a list of 1 to {MAX_VALUES} values")
    checked = tuple(check(spec, value, f"{where} values") for value in values)
    if len(set(checked)) < len(checked):
        raise InvalidRecipe(f"{where} values = {quoted(values)} has a value twice")
    if any(isinstance(value, str) and value.startswith("s3://") for value in checked):
        raise InvalidRecipe(f"{where} values: a job has one channel for weights; set [model] weights instead")
    return checked


def _numeric(name: str, kind: str, spec: Key, table: Mapping[str, object], where: str) -> Range:
    if not isinstance(spec, Number):
        raise InvalidRecipe(f"{where}: {name} is a word, so its type has to be categorical")
    if spec.whole and kind == "continuous":
        raise InvalidRecipe(
            f"{where}: {name} is a whole number, so its type has to be integer or categorical"
        )
    bounds = []
    for end in ("min", "max"):
        if end not in table:
            raise InvalidRecipe(f"{where} lacks {end}; it has to be {spec.allowed}")
        bound = check(spec, table[end], f"{where} {end}")
        if kind == "integer" and bound != int(bound):
            raise InvalidRecipe(f"{where} {end} = {bound:g} has to be a whole number in an integer range")
        bounds.append(int(bound) if kind == "integer" else bound)
    low, high = bounds
    if low >= high:
        fault = (
            "is upside down: swap them"
            if low > high
            else "leaves nothing to search: set the key itself instead"
        )
        raise InvalidRecipe(f"{where} min = {low:g}, max = {high:g} {fault}")
    return Range(
        name=name, type=kind, low=low, high=high, scale=_scale(table.get("scale", "auto"), low, high, where)
    )


def _scale(word: object, low: float, high: float, where: str) -> str:
    key = word.lower() if isinstance(word, str) else word
    scale = SCALES[check(_SCALE, key, f"{where} scale")]
    if scale == "Logarithmic" and low <= 0:
        raise InvalidRecipe(f"{where}: a logarithmic scale needs min above 0, not {low:g}")
    if scale == "ReverseLogarithmic" and not (low >= 0 and high < 1):
        raise InvalidRecipe(f"{where}: a reverse-logarithmic scale needs 0 ≤ min and max below 1")
    return scale
