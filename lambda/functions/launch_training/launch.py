"""From a finished search to its last training, or from a person's request to a training of its own.

After a tuning job: the best trial's hyperparameters over the recipe's, the recipe's `[final]` over both, in
one job `<tuning>-final`. By hand: the recipe, its `[final]`, what the request sets, its `hyperparameters`;
the later wins. A job's name decides whether it was started before, so an event that comes twice starts
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contract import names
from contract.environment import LaunchEnvironment
from contract.names import NO_CHAMPION
from contract.storage import is_model
from functions.common import champion, logs, storage
from functions.common.clients import client, describe
from functions.common.errors import InvalidRecipe
from functions.common.launching import first_type, jobs, requests, runs
from functions.common.launching.launcher import (
    TRAINING,
    AlreadyStarted,
    Checked,
    Choice,
    Launcher,
    Metrics,
    Plan,
)
from functions.common.recipes.recipe import Recipe, checked_hyperparameters, typed


def after_tuning(description: Mapping[str, Any], env: LaunchEnvironment) -> dict[str, Any]:
    """Start `<tuning>-final` with the best hyperparameters of a completed tuning job, or find it started.

    What it can cost was counted in when the search was started.

    Args:
        description: DescribeHyperParameterTuningJob's answer, with a BestTrainingJob.

    Raises:
        RunRecordMissing: the tuning job was not started by this project.
        QuotaExceeded, RefusedByAws: AWS will not start it.
    """
    tuning_job = description["HyperParameterTuningJobName"]
    record = runs.read(env.artifacts_bucket, tuning_job)
    found = typed(description["BestTrainingJob"]["TunedHyperParameters"])
    hyperparameters = {**record.recipe.hyperparameters, **found, **record.recipe.final}
    metrics = storage.read_metric_definitions(client("s3"), env.artifacts_bucket, record.code_prefix)
    name = names.final_of(tuning_job)
    logs.info("best hyperparameters", best=description["BestTrainingJob"]["TrainingJobName"], found=found)
    champion_url = _champion_url(env)
    launcher = Launcher(kind=TRAINING, env=env)
    try:
        arn = start(launcher, name, record, hyperparameters, metrics, champion_url)
    except AlreadyStarted:  # a job of this name can only be this one
        logs.info("training job was started before", job=name)
        arn = (launcher.describe(name) or {})["TrainingJobArn"]
    return {"statusCode": 202, "training_job": name, "arn": arn, "run": record.run}


def start(
    launcher: Launcher,
    name: str,
    record: runs.RunRecord,
    hyperparameters: Mapping[str, Any],
    metrics: Metrics,
    champion_url: str,
) -> str:
    """Start a training job of a run on the first of its instance types that the account may have; its ARN.

    Raises:
        AlreadyStarted: there is a job of that name.
        QuotaExceeded, RefusedByAws: AWS will not start it.
    """

    def job_of(on: runs.RunRecord) -> jobs.Request:
        return jobs.training_job(name, on, hyperparameters, metrics, launcher.env, champion_url)

    return first_type.create(launcher, name, record, job_of)


def by_hand(payload: object, request_id: str, env: LaunchEnvironment) -> dict[str, Any]:
    """Start the training a payload asks for, or find it started.

    Raises:
        UserError: something about the request is wrong; nothing was started.
    """
    request = requests.parse(payload, with_hyperparameters=True)
    explicit = checked_hyperparameters(request.hyperparameters)

    asked = {key for table in ("model", "data", "training") for key in _keys(request.overrides.get(table))}

    def alone(recipe: Recipe) -> dict[str, Any]:
        if recipe.race is not None:
            raise InvalidRecipe(
                f"{recipe.source} begins with a race of networks, which launch-tuning runs; to train one of "
                'them, name it: "model": {"arch": "..."}, or --set model.arch=...'
            )
        final = {key: value for key, value in recipe.final.items() if key not in asked}
        return {**recipe.hyperparameters, **final, **explicit}

    def plan(checked: Checked, choice: Choice) -> Plan:
        record = runs.RunRecord(
            run=checked.name,
            kind="training",
            request_id=request_id,
            code_prefix=env.code_prefix,
            recipe=checked.recipe,
            hyperparameters=explicit,
            instance_types=choice.types,
            **runs.of_version(checked.version),
        )
        champion_url = _champion_url(env)
        job = jobs.training_job(
            checked.name, record, alone(checked.recipe), checked.metrics, env, champion_url
        )
        return Plan(record=record, job=job)

    return Launcher(kind=TRAINING, env=env).launch(request, request_id, plan, alone)


def _keys(table: object) -> list[str]:
    return list(table) if isinstance(table, Mapping) else []


def _champion_url(env: LaunchEnvironment) -> str:
    """The S3 URI of the champion's artifact; empty without a champion, or with one that a job cannot read.

    A channel without a file would end the job, and its role reads models below `jobs/` of this project's own
    bucket only: what somebody registered from elsewhere is compared by what the registry knows of it.
    """
    arn = champion.current(env.champion_parameter).model
    if arn == NO_CHAMPION:
        return ""
    package = describe(client("sagemaker").describe_model_package, ModelPackageName=arn) or {}
    containers = package.get("InferenceSpecification", {}).get("Containers", [])
    url = str(containers[0].get("ModelDataUrl", "")) if containers else ""
    prefix = f"s3://{env.artifacts_bucket}/"
    key = url.removeprefix(prefix)
    if not url.startswith(prefix) or not is_model(key):
        logs.info("the champion is of elsewhere", champion=arn, model=url)
        return ""
    found = client("s3").list_objects_v2(Bucket=env.artifacts_bucket, Prefix=key, MaxKeys=1)
    if not any(each["Key"] == key for each in found.get("Contents", [])):
        logs.warning("the champion's model is gone", champion=arn, model=url)
        return ""
    return url
