"""The search of a tuning job: which hyperparameters the next training job gets.

`make_search` turns a tuning job's strategy and ranges into a `Search`, which is asked for trials and told
their results. Bayesian is Optuna's TPE sampler, Random its random sampler, Hyperband TPE with Optuna's
Hyperband pruner, Grid plain counting through all combinations.
"""

from __future__ import annotations

import itertools
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.pruners import HyperbandPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from local_aws.sagemaker.tuning.ranges import Space

optuna.logging.set_verbosity(optuna.logging.WARNING)
# How often a combination that was tried already is drawn again before it is accepted.
REDRAWS = 20


@dataclass(frozen=True)
class Trial:
    """One point of the search: its hyperparameters as a training job gets them."""

    number: int
    hyperparameters: dict[str, str]


class Search(ABC):
    """Where trials come from; this one looks at every point to its end, and learns nothing."""

    @abstractmethod
    def ask(self) -> Trial | None:
        """The next trial, or None when the space is exhausted."""

    def learn(self, hyperparameters: Mapping[str, str], value: float) -> bool:
        """Take a former job's result into account (warm start); whether it lies within the ranges."""
        return False

    def report(self, trial: Trial, resource: int, value: float) -> bool:
        """The objective after ``resource`` epochs; whether the trial should be stopped."""
        return False

    def tell(self, trial: Trial, value: float | None) -> None:  # noqa: B027 - as above
        """The trial's final objective (None: it has none)."""


def make_search(tuning: Mapping[str, Any]) -> Search:
    """The search that a checked CreateHyperParameterTuningJob request describes."""
    config = tuning["HyperParameterTuningJobConfig"]
    space = Space.parse(config["ParameterRanges"])
    if config["Strategy"] == "Grid":
        return GridSearch(space)
    return OptunaSearch(tuning["HyperParameterTuningJobName"], config, space)


class GridSearch(Search):
    """Every combination of the categorical values, once."""

    def __init__(self, space: Space) -> None:
        names = [entry.name for entry in space.ranges]
        self._points = enumerate(itertools.product(*(entry.values for entry in space.categorical)))
        self._names = names

    def ask(self) -> Trial | None:
        """The next combination."""
        for number, values in self._points:
            return Trial(number, dict(zip(self._names, values, strict=True)))
        return None


class OptunaSearch(Search):
    """Bayesian, Random and Hyperband, by Optuna."""

    def __init__(self, name: str, config: Mapping[str, Any], space: Space) -> None:
        self._space = space
        self._running: dict[int, optuna.Trial] = {}
        self._stopped: set[int] = set()
        self._tried: set[tuple[tuple[str, str], ...]] = set()
        self._study = optuna.create_study(
            study_name=name,  # Hyperband's brackets depend on it
            direction=config["HyperParameterTuningJobObjective"]["Type"].lower(),
            sampler=_sampler(config),
            pruner=_pruner(config),
        )

    def learn(self, hyperparameters: Mapping[str, str], value: float) -> bool:
        point = self._space.read(hyperparameters)
        if point is None:
            return False
        self._study.add_trial(
            optuna.trial.create_trial(
                params=point, distributions=self._space.distributions, value=value, state=TrialState.COMPLETE
            )
        )
        return True

    def ask(self) -> Trial | None:
        """A point that was not tried before, as far as the space allows."""
        for _ in range(REDRAWS):
            trial = self._study.ask(fixed_distributions=self._space.distributions)
            hyperparameters = self._space.write(trial.params)
            if tuple(hyperparameters.items()) not in self._tried:
                break
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            trial = self._study.ask(fixed_distributions=self._space.distributions)
            hyperparameters = self._space.write(trial.params)
        self._tried.add(tuple(hyperparameters.items()))
        self._running[trial.number] = trial
        return Trial(trial.number, hyperparameters)

    def report(self, trial: Trial, resource: int, value: float) -> bool:
        """Hyperband's verdict; the other strategies always go on."""
        running = self._running[trial.number]
        running.report(value, resource)
        if running.should_prune():
            self._stopped.add(trial.number)
            return True
        return False

    def tell(self, trial: Trial, value: float | None) -> None:
        """Learn from a trial; one that Hyperband stopped counts as such."""
        running = self._running.pop(trial.number)
        if value is None:
            self._study.tell(running, state=TrialState.FAIL)
        elif trial.number in self._stopped:
            self._study.tell(running, state=TrialState.PRUNED)
        else:
            self._study.tell(running, value)


def _sampler(config: Mapping[str, Any]) -> BaseSampler:
    seed = config.get("RandomSeed")
    seed = None if seed is None else seed % 2**32
    if config["Strategy"] == "Random":
        return RandomSampler(seed=seed)
    # Optuna explores ten points before it learns; of a small budget that would be everything.
    budget = config["ResourceLimits"].get("MaxNumberOfTrainingJobs", 30)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(
            n_startup_trials=min(10, max(2, budget // 3)),
            multivariate=True,
            constant_liar=True,  # trials that run in parallel keep away from each other
            seed=seed,
        )


def _pruner(config: Mapping[str, Any]) -> optuna.pruners.BasePruner:
    if config["Strategy"] != "Hyperband":
        return NopPruner()
    limits = config.get("StrategyConfig", {}).get("HyperbandStrategyConfig", {})
    return HyperbandPruner(
        min_resource=limits.get("MinResource", 1), max_resource=limits.get("MaxResource", "auto")
    )
