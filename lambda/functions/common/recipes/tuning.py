"""[tuning]: how a recipe searches, checked for what SageMaker asks of each strategy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract.hyperparameters import OBJECTIVES
from functions.common.errors import InvalidRecipe
from functions.common.recipes.keys import MAX_WARM_START
from functions.common.recipes.ranges import Range, read_ranges


@dataclass(frozen=True)
class Tuning:
    """[tuning]: how to search. Each field but `ranges` is a key of that name."""

    strategy: str
    objective: str
    direction: str
    max_jobs: int
    parallel_jobs: int
    ranges: tuple[Range, ...]
    early_stopping: str = "Off"
    max_runtime_minutes: int | None = None
    """Of the whole search."""
    target: float | None = None
    """The objective at which the search has found enough."""
    stop_after_not_improving: int | None = None
    stop_on_convergence: bool = False
    warm_start: tuple[str, ...] = ()
    """Tuning jobs that have ended, whose trials this search knows from the start."""
    warm_start_type: str = "identical"

    @property
    def combinations(self) -> int:
        """How many trials a grid has: the product of the categorical ranges' sizes."""
        return math.prod(len(each.values) for each in self.ranges)


def read_tuning(table: Mapping[str, Any], source: str) -> Tuning:
    """[tuning] as a value, with what SageMaker asks of each strategy checked.

    Source: https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-how-it-works.html
    """
    ranges, warm_start = read_ranges(table.get("ranges", {}), source), tuple(table.get("warm_start", ()))
    tuning = Tuning(**{**table, "ranges": ranges, "warm_start": warm_start})
    where = f"{source}: [tuning]"
    better = OBJECTIVES[tuning.objective]
    if tuning.direction != better:
        raise InvalidRecipe(f'{where} objective = "{tuning.objective}" goes with direction = "{better}"')
    if tuning.parallel_jobs > tuning.max_jobs:
        raise InvalidRecipe(
            f"{where} parallel_jobs = {tuning.parallel_jobs} is more than max_jobs = {tuning.max_jobs}"
        )
    if tuning.strategy == "Hyperband" and tuning.early_stopping != "Off":
        raise InvalidRecipe(f'{where} Hyperband stops trials itself; set early_stopping = "Off"')
    if tuning.strategy == "Hyperband" and any(each.name == "epochs" for each in tuning.ranges):
        raise InvalidRecipe(f"{where} Hyperband gives out epochs itself; leave [tuning.ranges.epochs] out")
    if tuning.strategy == "Grid":
        _check_grid(tuning, where)
    _check_warm_start(tuning, where)
    return tuning


def _check_warm_start(tuning: Tuning, where: str) -> None:
    """Source: https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-warm-start.html"""
    parents = tuning.warm_start
    if len(parents) > MAX_WARM_START or len(set(parents)) < len(parents):
        raise InvalidRecipe(
            f"{where} warm_start names {len(parents)} jobs; SageMaker takes {MAX_WARM_START} different ones"
        )
    if parents and tuning.strategy in ("Grid", "Hyperband"):
        raise InvalidRecipe(
            f"{where} warm_start goes with Bayesian and Random; {tuning.strategy} does not learn "
            "from earlier trials"
        )


def _check_grid(tuning: Tuning, where: str) -> None:
    for each in tuning.ranges:
        if each.type != "categorical":
            raise InvalidRecipe(f'{where} a Grid needs categorical ranges; "{each.name}" is {each.type}')
    if tuning.ranges and tuning.max_jobs != tuning.combinations:
        raise InvalidRecipe(
            f"{where} a Grid runs each combination once, here {tuning.combinations}; "
            f"set max_jobs = {tuning.combinations} or give fewer values (max_jobs is {tuning.max_jobs})"
        )
