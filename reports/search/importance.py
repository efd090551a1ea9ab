"""Which hyperparameters the objective depended on.

Functional analysis of variance (Hutter, Hoos, Leyton-Brown: "An Efficient Approach for Assessing
Hyperparameter Importance", ICML 2014) as Optuna implements it: a random forest is fitted to the trials, and
each hyperparameter gets the share of the forest's variance that it explains alone.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING

from reports.search.axes import logarithmic
from reports.search.record import Axis, Search

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

LEAST_TRIALS = 4
"""With fewer a forest has nothing to learn from. From about ten on the shares begin to mean something."""
FEW_TRIALS = 10


def importance(search: Search) -> dict[str, float] | None:
    """Shares that add up to 1, the largest first; None with too few trials, or where all came out alike."""
    measured = [trial for trial in search.ranked if len(trial.values) == len(search.axes)]
    objectives = {trial.objective for trial in measured}
    if len(measured) < LEAST_TRIALS or len(objectives) < 2 or not search.axes:
        return None
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    spaces = {axis.name: _distribution(axis) for axis in search.axes}
    study = optuna.create_study(direction="maximize" if search.maximize else "minimize")
    for trial in measured:
        if all(_inside(axis, trial.values[axis.name]) for axis in search.axes):
            study.add_trial(
                optuna.create_trial(params=dict(trial.values), distributions=spaces, value=trial.objective)
            )
    if len(study.trials) < LEAST_TRIALS:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shares = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=0)
        )
    return dict(shares) if all(math.isfinite(share) for share in shares.values()) else None


def _distribution(axis: Axis) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if axis.choices:
        return CategoricalDistribution(axis.choices)
    return FloatDistribution(axis.low, axis.high, log=logarithmic(axis))


def _inside(axis: Axis, value: float | str) -> bool:
    return value in axis.choices if isinstance(value, str) else axis.low <= value <= axis.high
