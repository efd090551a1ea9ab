"""From a request to a running tuning job, the way `common/launching/launcher.py` goes."""

from __future__ import annotations

from typing import Any

from contract.environment import LaunchEnvironment
from functions.common.clients import client, describe
from functions.common.errors import InvalidRecipe
from functions.common.launching import jobs, requests, runs
from functions.common.launching.launcher import TUNING, Checked, Choice, Launcher, Plan
from functions.common.recipes.tuning import Tuning
from functions.launch_tuning import race

_ENDED = ("Completed", "Failed", "Stopped")


def launch(payload: object, request_id: str, env: LaunchEnvironment) -> dict[str, Any]:
    """Start the tuning job a payload asks for, or the race before it, or find them running.

    Raises:
        UserError: something about the request is wrong; nothing was started.
    """
    request = requests.parse(payload, with_hyperparameters=False)
    launcher = Launcher(kind=TUNING, env=env)
    run = launcher.name_of(request, request_id)
    before = launcher.started_before(request, request_id) or race.started_before(run, request_id, env)
    if before is not None:
        return before
    asked = launcher.recipe_of(request)
    if asked.race is not None:
        return race.launch(request, run, request_id, asked, env)

    def plan(checked: Checked, choice: Choice) -> Plan:
        recipe = checked.recipe
        tuning = recipe.tuning
        if tuning is None or not tuning.ranges:
            raise InvalidRecipe(
                f"{recipe.source} leaves nothing to search: give it [tuning] and at least one "
                "[tuning.ranges.*], or train it directly with launch-training"
            )
        _check_parents(tuning)
        record = runs.RunRecord(
            run=checked.name,
            kind="tuning",
            request_id=request_id,
            code_prefix=env.code_prefix,
            recipe=recipe,
            instance_types=choice.types,
            scheduled=request.scheduled,
            **runs.of_version(checked.version),
        )
        job = jobs.tuning_job(checked.name, record, tuning, checked.metrics, env, alone=choice.alone)
        return Plan(record=record, job=job)

    return launcher.start(request, request_id, asked, plan)


def _check_parents(tuning: Tuning) -> None:
    """The tuning jobs a search starts warm from are there, have ended, and sought the same."""
    for name in tuning.warm_start:
        found = describe(
            client("sagemaker").describe_hyper_parameter_tuning_job, HyperParameterTuningJobName=name
        )
        where = f'[tuning] warm_start: the tuning job "{name}"'
        if found is None:
            raise InvalidRecipe(f"{where} does not exist (classifier status lists those that do)")
        if found["HyperParameterTuningJobStatus"] not in _ENDED:
            raise InvalidRecipe(
                f"{where} is {found['HyperParameterTuningJobStatus']}; one that has ended is needed"
            )
        objective = found["HyperParameterTuningJobConfig"]["HyperParameterTuningJobObjective"]
        theirs = objective["Type"].lower(), objective["MetricName"]
        if theirs != (tuning.direction, tuning.objective):
            raise InvalidRecipe(
                f"{where} was to {theirs[0]} {theirs[1]}, this one is to {tuning.direction} "
                f"{tuning.objective}; they have to be the same"
            )
