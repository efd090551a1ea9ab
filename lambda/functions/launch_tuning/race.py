"""The race before a search: one job that judges the networks of a recipe's [race]."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from contract import capacity, prices, storage
from contract.datasets.manifest import Version
from contract.environment import LaunchEnvironment
from contract.jobs import CODE, PACKAGE, PRETRAINED, RACE_PACKAGE
from contract.names import race_of
from functions.common.clients import client
from functions.common.errors import InvalidRecipe, JobExists, RunRecordMissing
from functions.common.launching import (
    answers,
    costs,
    datasets,
    estimate,
    first_type,
    fit,
    jobs,
    requests,
    runs,
    single,
    weights,
)
from functions.common.launching.launcher import TRAINING, AlreadyStarted, Launcher
from functions.common.recipes.race import RaceTable
from functions.common.recipes.recipe import Recipe

Entrants = tuple[tuple[str, Recipe], ...]
NETWORKS: Final = "networks"
"""The job's hyperparameter with each network and where its weights are."""


def started_before(run: str, request_id: str, env: LaunchEnvironment) -> dict[str, Any] | None:
    """The answer of the first time, if this request started the race of its run before.

    Raises:
        JobExists: another request started it.
    """
    name = race_of(run)
    found = Launcher(kind=TRAINING, env=env).describe(name)
    if found is None:
        return None
    try:
        record = runs.read(env.artifacts_bucket, run)
    except RunRecordMissing:
        record = None
    if record is None or record.request_id != request_id:
        raise JobExists(f'a job named "{name}" exists; choose another "name", or leave it out to get one')
    entrants = entered(record.recipe, env) if record.recipe.race else ()
    return _answer(found["TrainingJobArn"], record, entrants, env)


def launch(
    request: requests.LaunchRequest, run: str, request_id: str, recipe: Recipe, env: LaunchEnvironment
) -> dict[str, Any]:
    """Start the race of a recipe, or say what it would be.

    Raises:
        UserError: something about the request is wrong; nothing was started.
    """
    if recipe.tuning is None or not recipe.tuning.ranges:
        raise InvalidRecipe(f"{recipe.source} leaves nothing to search after the race: give it ranges")
    s3 = client("s3")
    data = datasets.find(s3, env.data_bucket, request.dataset, request.dataset_version)
    entrants = entered(recipe, env)
    _check(entrants, data.version, estimate.instance_types(recipe, env), env)
    record = runs.RunRecord(
        run=run,
        kind="tuning",
        request_id=request_id,
        code_prefix=env.code_prefix,
        recipe=recipe,
        scheduled=request.scheduled,
        **runs.of_version(data.version),
    )
    limits = recipe.table("resources")

    def bound(instance_type: str) -> costs.CostBound:
        return estimate.cost_of(record.on((instance_type,)), env)

    types = single.affordable(
        limits.get("instance_type"), env, bound, limits.get("max_cost_usd"), costs.LOWER
    )
    planned = record.on(types)
    if request.dry_run:
        machines = estimate.machines_of(planned, env) | {"instance_types": types}
        what, cost = estimate.in_words(planned, env), estimate.cost_of(planned, env)
        said = (*data.notes, *_notes(entrants, env))
        return answers.planned("tuning_job", run, what, cost, machines, data.version.name, said)
    version = datasets.settled(s3, env.data_bucket, data)
    record = replace(planned, **runs.of_version(version))
    runs.write(env.artifacts_bucket, record)
    try:
        arn = start(race_of(run), record, entrants, env)
    except AlreadyStarted:
        if (before := started_before(run, request_id, env)) is None:
            raise
        return before
    return _answer(arn, record, entrants, env)


def start(name: str, record: runs.RunRecord, entrants: Entrants, env: LaunchEnvironment) -> str:
    """Start the race's job on the first of its run's types that the account may have; its ARN.

    Raises:
        AlreadyStarted: there is a job of that name.
        QuotaExceeded, RefusedByAws: AWS will not start it.
    """
    launcher = Launcher(kind=TRAINING, env=env)
    return first_type.create(launcher, name, record, lambda on: _job(name, on, entrants, env))


def entered(recipe: Recipe, env: LaunchEnvironment) -> Entrants:
    """Each network of the race with its recipe, its weights being where they are staged."""
    return tuple(
        (network, weights.settled(recipe.entered(network, fresh=fresh), None, env.artifacts_bucket))
        for network, fresh in _race_of(recipe).entrants
    )


def _notes(entrants: Entrants, env: LaunchEnvironment) -> tuple[str, ...]:
    """What the licences of the networks' weights keep from who uses the model."""
    values = tuple(each for _, own in entrants for each in fit.possible(own, None))
    return weights.restrictions(values, env.artifacts_bucket)


def _race_of(recipe: Recipe) -> RaceTable:
    if recipe.race is None:
        raise InvalidRecipe(f"{recipe.source} names its network; there is no race")
    return recipe.race


def _check(entrants: Entrants, version: Version, types: tuple[str, ...], env: LaunchEnvironment) -> None:
    """See that each network could be searched and trained on these pictures, whichever wins."""
    for _, own in entrants:
        values = fit.possible(own, None)
        weights.check(values, env.artifacts_bucket, env.data_bucket)
        fit.check(values, version, jobs.machine(own, env).instance_count, types)


def _job(name: str, record: runs.RunRecord, entrants: Entrants, env: LaunchEnvironment) -> jobs.Request:
    """The CreateTrainingJob request.

    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
    """
    recipe = record.recipe
    # One job judges them all, on one instance, and nothing of it would outlive an interruption.
    machine = replace(
        jobs.machine(recipe, env),
        instance_count=1,
        max_runtime_minutes=estimate.race_minutes(recipe, jobs.machine(recipe, env)),
    )
    channels = {CODE: f"s3://{env.artifacts_bucket}/{record.code_prefix}"}
    sources = []
    for place, (network, own) in enumerate(entrants):
        source = str(own.hyperparameters["weights"])
        if source.startswith("s3://"):
            channels[f"{PRETRAINED}-{place}"] = source
            source = f"{PRETRAINED}-{place}"
        sources.append([network, source])
    pictures = jobs.channels_of(record.dataset, record.dataset_version or 0, record.pictures, env)
    return {
        "TrainingJobName": name,
        "HyperParameters": _hyperparameters(record, sources, jobs.machine(recipe, env)),
        "Environment": {
            PACKAGE: RACE_PACKAGE,
            **capacity.environment(record.instance_types[1:]).get("Environment", {}),
        },
        "AlgorithmSpecification": {
            "TrainingImage": jobs.image(machine.instance_type, env),
            "TrainingInputMode": "File",
        },
        "InputDataConfig": [*pictures, *(jobs.channel(*each) for each in channels.items())],
        "OutputDataConfig": {"S3OutputPath": f"s3://{env.artifacts_bucket}/{storage.TRIALS}"},
        "ResourceConfig": jobs.resources(machine),
        "RoleArn": env.training_role_arn,
        "StoppingCondition": {"MaxRuntimeInSeconds": machine.max_runtime_minutes * 60},
        "EnableNetworkIsolation": all(source != "imagenet" for _, source in sources),
        "Tags": jobs.tags(record, env),
    }


def _hyperparameters(
    record: runs.RunRecord, sources: list[list[str]], machine: costs.Machine
) -> Mapping[str, str]:
    race = _race_of(record.recipe)
    optional: dict[str, object] = {
        "max_ms": race.max_ms,
        "max_mb": race.max_mb,
        "max_minutes": estimate.race_limit(race, machine),
        "usd_per_hour": _usd_per_hour(machine.instance_type),
        "dataset_version": record.dataset_version,
        "seed": record.recipe.hyperparameters.get("seed"),
        "image_size": record.recipe.hyperparameters.get("image_size"),
    }
    return {
        NETWORKS: json.dumps(sources, separators=(",", ":")),
        "run": record.run,
        "dataset": record.dataset,
        **{key: f"{value}" for key, value in optional.items() if value is not None},
    }


def _usd_per_hour(instance_type: str) -> float | None:
    """Of an endpoint on this type; None where the table has none."""
    try:
        return prices.price_of(instance_type, prices.HOSTING).usd_per_hour
    except prices.UnknownPrice:
        return None


def _answer(arn: str, record: runs.RunRecord, entrants: Entrants, env: LaunchEnvironment) -> dict[str, Any]:
    what, cost = estimate.in_words(record, env), estimate.cost_of(record, env)
    said = _notes(entrants, env)
    return answers.started(TRAINING.key, race_of(record.run), arn, record.run, record.data, what, cost, said)
