"""Parameter ranges of a tuning job: AWS's strings to Optuna's distributions, and points back to strings.

https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-define-ranges.html
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from local_aws.core.errors import ValidationException

# AWS does not publish how ``Auto`` chooses. Two decades and more are searched by order of magnitude.
AUTO_LOG_RATIO = 100
MAX_RANGES = 30


@dataclass(frozen=True)
class Categorical:
    """One of the values."""

    name: str
    values: tuple[str, ...]

    @property
    def distribution(self) -> BaseDistribution:
        return CategoricalDistribution(self.values)

    def write(self, point: Any) -> str:
        return str(point)

    def read(self, text: str) -> Any:
        return text if text in self.values else None


@dataclass(frozen=True)
class Integer:
    """A whole number from low to high, both included."""

    name: str
    low: int
    high: int
    log: bool

    @property
    def distribution(self) -> BaseDistribution:
        return IntDistribution(self.low, self.high, log=self.log)

    def write(self, point: Any) -> str:
        return str(int(point))

    def read(self, text: str) -> Any:
        value = int(text)
        return value if self.low <= value <= self.high else None


@dataclass(frozen=True)
class Continuous:
    """A number from low to high; with ``reverse`` it is ``1 - value`` that is searched by magnitude."""

    name: str
    low: float
    high: float
    log: bool
    reverse: bool = False

    @property
    def distribution(self) -> BaseDistribution:
        if self.reverse:
            return FloatDistribution(1 - self.high, 1 - self.low, log=True)
        return FloatDistribution(self.low, self.high, log=self.log)

    def write(self, point: Any) -> str:
        value = 1 - point if self.reverse else point
        return repr(min(self.high, max(self.low, value)))

    def read(self, text: str) -> Any:
        value = float(text)
        if not self.low <= value <= self.high:
            return None
        return min(1 - self.low, max(1 - self.high, 1 - value)) if self.reverse else value


Range = Categorical | Integer | Continuous


@dataclass(frozen=True)
class Space:
    """All ranges of a tuning job."""

    ranges: tuple[Range, ...]

    @classmethod
    def parse(cls, request: Mapping[str, Any]) -> Space:
        """Of a ParameterRanges structure. Raises ValidationException naming the range and what is wrong."""
        if request.get("AutoParameters"):
            raise ValidationException("ParameterRanges: the local AWS does not know AutoParameters.")
        ranges: list[Range] = [
            *(_integer(entry) for entry in request.get("IntegerParameterRanges", [])),
            *(_continuous(entry) for entry in request.get("ContinuousParameterRanges", [])),
            *(
                Categorical(entry["Name"], tuple(entry["Values"]))
                for entry in request.get("CategoricalParameterRanges", [])
            ),
        ]
        names = [entry.name for entry in ranges]
        for name in names:
            if names.count(name) > 1:
                raise ValidationException(f"ParameterRanges: the hyperparameter {name} has two ranges.")
        for entry in ranges:
            if isinstance(entry, Categorical) and len(set(entry.values)) != len(entry.values):
                raise ValidationException(f"ParameterRanges: {entry.name} lists a value twice.")
        if not 1 <= len(ranges) <= MAX_RANGES:
            raise ValidationException(
                f"ParameterRanges: {len(ranges)} hyperparameters are tuned; from 1 to {MAX_RANGES} can be."
            )
        return cls(tuple(ranges))

    @property
    def categorical(self) -> list[Categorical]:
        return [entry for entry in self.ranges if isinstance(entry, Categorical)]

    @property
    def distributions(self) -> dict[str, BaseDistribution]:
        return {entry.name: entry.distribution for entry in self.ranges}

    @property
    def combinations(self) -> int:
        """How many points a grid of categorical ranges has."""
        return math.prod(len(entry.values) for entry in self.categorical)

    def write(self, point: Mapping[str, Any]) -> dict[str, str]:
        """A point of the search as hyperparameters."""
        return {entry.name: entry.write(point[entry.name]) for entry in self.ranges}

    def read(self, hyperparameters: Mapping[str, str]) -> dict[str, Any] | None:
        """Hyperparameters as a point, or None if one is missing or out of its range."""
        try:
            point = {entry.name: entry.read(hyperparameters[entry.name]) for entry in self.ranges}
        except (KeyError, ValueError):
            return None
        return None if None in point.values() else point


def _integer(entry: Mapping[str, str]) -> Integer:
    name, scaling = entry["Name"], entry.get("ScalingType", "Auto")
    low, high = _bounds(entry, int, "whole number")
    if scaling == "ReverseLogarithmic":
        raise ValidationException(
            f"ParameterRanges: {name} has ScalingType ReverseLogarithmic, which integer ranges cannot have."
        )
    return Integer(name, low, high, _logarithmic(name, scaling, low, high))


def _continuous(entry: Mapping[str, str]) -> Continuous:
    name, scaling = entry["Name"], entry.get("ScalingType", "Auto")
    low, high = _bounds(entry, float, "number")
    if scaling == "ReverseLogarithmic":
        if not 0 <= low <= high < 1:
            raise ValidationException(
                f"ParameterRanges: {name} has ScalingType ReverseLogarithmic, for which the range must lie "
                f"within 0 <= x < 1; it is {low} to {high}."
            )
        return Continuous(name, low, high, log=False, reverse=True)
    return Continuous(name, low, high, _logarithmic(name, scaling, low, high))


def _bounds(entry: Mapping[str, str], number: type[Any], what: str) -> tuple[Any, Any]:
    bounds = []
    for member in ("MinValue", "MaxValue"):
        try:
            value = number(entry[member])
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise ValidationException(
                f"ParameterRanges: {member} {entry[member]!r} of {entry['Name']} is not a {what}."
            )
        bounds.append(value)
    low, high = bounds
    if low > high:
        raise ValidationException(
            f"ParameterRanges: MinValue {entry['MinValue']} of {entry['Name']} is greater than its MaxValue "
            f"{entry['MaxValue']}."
        )
    return low, high


def _logarithmic(name: str, scaling: str, low: float, high: float) -> bool:
    if scaling == "Logarithmic" and low <= 0:
        raise ValidationException(
            f"ParameterRanges: {name} has ScalingType Logarithmic, for which all values must be greater than "
            f"0; MinValue is {low}."
        )
    return scaling == "Logarithmic" or (scaling == "Auto" and low > 0 and high / low >= AUTO_LOG_RATIO)
