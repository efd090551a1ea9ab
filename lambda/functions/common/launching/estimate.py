"""What a run will be on and may cost, known before anything of it starts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Final

from contract.environment import LaunchEnvironment
from contract.words import counted
from functions.common.launching import costs, jobs, runs
from functions.common.launching.costs import CostBound, Machine
from functions.common.recipes.race import RaceTable
from functions.common.recipes.recipe import Recipe

RACE_GRACE_MINUTES: Final = 5
"""For the network that is being judged when the race's time is over, and for what comes before the first."""


def instance_types(recipe: Recipe, env: LaunchEnvironment) -> tuple[str, ...]:
    """What a run's jobs may be on: what the recipe says, or the settings' types, the first choice first."""
    own = recipe.table("resources").get("instance_type")
    return (own,) if own else env.training_instance_types


def cost_of(record: runs.RunRecord, env: LaunchEnvironment) -> CostBound:
    """The most a run can cost on the dearest of its instance types: its search with the last training, or its
    one training.
    """
    machine = jobs.machine(record.recipe, env)
    types = record.instance_types or (machine.instance_type,)
    bounds = [_cost_on(replace(machine, instance_type=each), record) for each in types]
    return max(bounds, key=lambda bound: math.inf if bound.usd is None else bound.usd)


def affordable(record: runs.RunRecord, env: LaunchEnvironment) -> tuple[str, ...]:
    """The first choice of a run's instance types, and those others on which it could cost no more than its
    recipe allows.
    """
    most = record.recipe.table("resources").get("max_cost_usd")
    return costs.affordable(
        instance_types(record.recipe, env),
        lambda each: costs.guard(cost_of(replace(record, instance_types=(each,)), env), most),
    )


def _cost_on(machine: Machine, record: runs.RunRecord) -> CostBound:
    tuning = record.recipe.tuning
    if record.kind != "tuning" or tuning is None:
        return costs.of_training(machine)
    return costs.of_tuning(machine, tuning, race_minutes(record.recipe, machine))


def race_minutes(recipe: Recipe, machine: Machine) -> int:
    """For how long at most the race of a recipe runs; 0 without one."""
    if recipe.race is None:
        return 0
    return race_limit(recipe.race, machine) + RACE_GRACE_MINUTES


def race_limit(race: RaceTable, machine: Machine) -> int:
    """After how many minutes a race begins no other network: its own, or the longest run time of any job."""
    return race.max_minutes or machine.max_runtime_minutes


def machines_of(record: runs.RunRecord, env: LaunchEnvironment) -> dict[str, Any]:
    """What a run has at a time, for whoever compares it with the account's quotas."""
    on, tuning = jobs.machine(record.recipe, env), record.recipe.tuning
    return {
        "instance_type": on.instance_type,
        "instance_count": on.instance_count,
        "spot": bool(record.recipe.table("resources").get("spot")),
        "parallel_jobs": tuning.parallel_jobs if record.kind == "tuning" and tuning is not None else 1,
    }


def in_words(record: runs.RunRecord, env: LaunchEnvironment) -> str:
    """What a run starts, for its answer."""
    recipe, on, tuning = record.recipe, jobs.machine(record.recipe, env), record.recipe.tuning
    spot = ", managed spot" if recipe.table("resources").get("spot") else ""
    others = f" (or {', '.join(record.instance_types[1:])})" if record.instance_types[1:] else ""
    machines = f"{on.instance_count} × {on.instance_type}{others}{spot}"
    if record.kind != "tuning" or tuning is None:
        return f"one training of recipe {recipe.name} on {record.data}, {machines}"
    searched = ", ".join(each.name for each in tuning.ranges)
    race = f"a race of {len(recipe.race.entrants)} networks, and with the best " if recipe.race else ""
    return (
        f"{race}a {tuning.strategy} search of {counted(tuning.max_jobs, 'trial', 'trials')}, "
        f"{tuning.parallel_jobs} at a time, each on {machines}: "
        f"recipe {recipe.name} on {record.data}, over {searched}; the last training with "
        "the best follows by itself"
    )
