"""What a race's end leads to: the search with the network that won, the race once more on the next instance
type, or a message that says why there is no search.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from contract import capacity, names, race, storage
from contract.environment import LaunchEnvironment
from contract.jobs import is_race
from functions.common import archived, logs, notify
from functions.common.clients import client, describe
from functions.common.errors import QuotaExceeded, RunRecordMissing
from functions.common.events import Event, ignored
from functions.common.launching import jobs, runs, weights
from functions.common.launching.launcher import TUNING, AlreadyStarted, Launcher
from functions.common.recipes.recipe import Recipe
from functions.common.storage import read_metric_definitions
from functions.launch_tuning.race import entered, start


def on_race_ended(event: Event, env: LaunchEnvironment) -> dict[str, Any]:
    """Act on the end of the race that an event names; what counts is the job's state now.

    Raises:
        OutputInvalid, UnreadableRace: the job's output tells of no race.
        QuotaExceeded, RefusedByAws: AWS will not start the search.
    """
    name = event.name("TrainingJobName")
    logs.bind(job=name, event=event.id)
    job = describe(client("sagemaker").describe_training_job, TrainingJobName=name)
    if job is None or not is_race(job):
        return ignored(f"{name} is no race")
    try:
        record = runs.read(env.artifacts_bucket, job.get("HyperParameters", {}).get("run", ""))
    except RunRecordMissing as error:
        return ignored(str(error))
    logs.bind(run=record.run)
    status = job["TrainingJobStatus"]
    if runs.stopped(env.artifacts_bucket, record.run):
        return ignored(f"{record.run} was ended with classifier stop")
    if others := capacity.left(job):
        return _again(name, record.on(others), env)
    if status in ("Failed", "Stopped"):
        return _tell(event, record, job, env)
    if status != "Completed":
        return ignored(f"{name} is {status}")
    return _search(name, record, env)


def _again(name: str, record: runs.RunRecord, env: LaunchEnvironment) -> dict[str, Any]:
    """AWS had no instance: the same race on the next type."""
    following = names.following(name)
    try:
        start(following, record, entered(record.recipe, env), env)
    except AlreadyStarted:
        return ignored(f"{following} was started before")
    return {"statusCode": 202, "training_job": following, "run": record.run}


def _search(name: str, record: runs.RunRecord, env: LaunchEnvironment) -> dict[str, Any]:
    """Start the search with the winner. What it can cost was counted in when the race was started."""
    run, launcher = record.run, Launcher(kind=TUNING, env=env)
    if (found := launcher.describe(run)) is not None:
        logs.info("the search was started before")
        return {"statusCode": 202, "tuning_job": run, "arn": found["HyperParameterTuningJobArn"], "run": run}
    text = archived.fetch(
        env.artifacts_bucket, f"{storage.TRIALS}/{storage.output_of(name)}", race.FILE, race.MAX_BYTES
    )
    outcome = race.read(text)
    client("s3").put_object(
        Bucket=env.artifacts_bucket,
        Key=storage.of_run(run, race.FILE),
        Body=text,
        ContentType="application/json",
    )
    if record.recipe.race is not None:
        record = replace(record, recipe=chosen(record.recipe, outcome, env.artifacts_bucket))
    winner = record.recipe.hyperparameters["arch"]
    logs.info("the race is over", winner=winner)
    metrics = read_metric_definitions(client("s3"), env.artifacts_bucket, record.code_prefix)
    types = record.instance_types
    for choice in (choices := launcher.choices(types)):
        on = record.on(choice.types)
        tuning = on.recipe.tuning
        assert tuning is not None  # noqa: S101 - a race is of a recipe that has it
        job = jobs.tuning_job(run, on, tuning, metrics, env, alone=choice.alone)
        runs.write(env.artifacts_bucket, on)
        try:
            arn = launcher.create(run, job)
            return {"statusCode": 202, "tuning_job": run, "arn": arn, "run": run, "network": winner}
        except AlreadyStarted:
            return ignored(f"the search {run} was started a moment ago")
        except QuotaExceeded:
            if choice is choices[-1]:
                raise
            logs.info("no quota", instance_types=choice.types, alone=choice.alone)
    raise AssertionError("a run has one type at least")


def chosen(recipe: Recipe, outcome: race.Race, bucket: str) -> Recipe:
    """The recipe of the network that won; with `finalists` = 2 the search chooses between the first two, if
    both start from published weights that lie in one place.
    """
    table = recipe.race
    assert table is not None  # noqa: S101 - asked for a recipe that has one
    first, *others = outcome.ranked
    own = weights.settled(recipe.entered(first.network, fresh=first.network in table.fresh), None, bucket)
    if table.finalists < 2 or not others or {first.network, others[0].network} & set(table.fresh):
        return own
    second = others[0].network
    place = weights.together((first.network, second), bucket)
    if place is None:
        logs.info("the second's weights lie elsewhere; it is not searched", network=second)
        return own
    both = {"type": "categorical", "values": [first.network, second]}
    return recipe.entered(first.network, fresh=False).with_overrides(
        {"model": {"weights": place}, "tuning": {"ranges": {"arch": both}}}
    )


def _tell(
    event: Event, record: runs.RunRecord, job: Mapping[str, Any], env: LaunchEnvironment
) -> dict[str, Any]:
    """Mail that a race ended without a winner."""
    name, status = job["TrainingJobName"], job["TrainingJobStatus"]
    if not notify.once(
        env.artifacts_bucket, storage.of_run(record.run, f"told-race-{status}.json"), event.id
    ):
        return ignored(f"{name} {status} was told of before")
    command = notify.invoke_command(
        names.function(env.project, "launch-tuning"),
        {"recipe": record.recipe.name, "dataset": record.data},
    )
    notify.send(
        env,
        f"race {name}: {status}",
        f"The race of networks {name} (recipe {record.recipe.name}, data set {record.data}) ended as "
        f"{status}, so nothing is searched.",
        f"Why: {job.get('FailureReason') or 'somebody stopped it, or it reached its longest run time.'}\n"
        f"Its log: aws logs tail /aws/sagemaker/TrainingJobs --log-stream-name-prefix {name}/",
        f"When the cause is put right:\n{command}",
    )
    return {"told": status, "run": record.run}
