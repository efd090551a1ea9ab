"""From a finished search to its last training, or from a person's request to a training of its own.

After a tuning job: the best trial's hyperparameters over the recipe's, the recipe's `[final]` over both, in
one job `<tuning>-final`. By hand: the recipe, its `[final]`, what the request sets, its `hyperparameters`;
the later wins. A job's name decides whether it was started before, so an event that comes twice starts
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from common import answers, jobs, launching, logs, names, requests, runs, storage
from common.environment import LaunchSettings
from common.recipe import checked_hyperparameters


def after_tuning(
    description: Mapping[str, Any], settings: LaunchSettings, sagemaker: Any, s3: Any
) -> dict[str, Any]:
    """Start `<tuning>-final` with the best hyperparameters of a completed tuning job, or find it started.

    Args:
        description: DescribeHyperParameterTuningJob's answer, with a BestTrainingJob.

    Raises:
        RunRecordMissing: the tuning job was not started by this project.
        QuotaExceeded, RefusedByAws: AWS will not start it.
    """
    tuning_job = description["HyperParameterTuningJobName"]
    record = runs.read(s3, settings.artifacts_bucket, tuning_job)
    found = launching.typed(description["BestTrainingJob"]["TunedHyperParameters"])
    hyperparameters = {**record.recipe.hyperparameters, **found, **record.recipe.final}
    metrics = storage.read_metric_definitions(s3, settings.artifacts_bucket, record.code_prefix)
    name = names.final_of(tuning_job)
    logs.info("best hyperparameters", best=description["BestTrainingJob"]["TrainingJobName"], found=found)
    return _start(name, record, hyperparameters, metrics, settings, sagemaker)


def by_hand(
    payload: object, request_id: str, settings: LaunchSettings, sagemaker: Any, s3: Any
) -> dict[str, Any]:
    """Start the training a payload asks for, or find it started.

    Raises:
        UserError: something about the request is wrong; nothing was started.
    """
    request = requests.parse(payload, with_hyperparameters=True)
    explicit = checked_hyperparameters(request.hyperparameters)
    name = launching.name_of(request, request_id, settings.project, names.TRAINING_NAME_LENGTH)
    logs.bind(run=name)
    found = _describe(sagemaker, name)
    if found is not None:
        launching.must_be_same_request(name, request_id, settings, s3)
        return answers.started("training_job", name, found["TrainingJobArn"], name)
    checked = launching.check(request, settings, s3)
    record = runs.RunRecord(
        run=name,
        kind="training",
        request_id=request_id,
        dataset=request.dataset,
        code_prefix=settings.code_prefix,
        recipe=checked.recipe,
        hyperparameters=explicit,
    )
    runs.write(s3, settings.artifacts_bucket, record)
    recipe = checked.recipe
    asked = {key for table in ("model", "data", "training") for key in _keys(request.overrides.get(table))}
    final = {key: value for key, value in recipe.final.items() if key not in asked}
    hyperparameters = {**recipe.hyperparameters, **final, **explicit}
    try:
        return _start(name, record, hyperparameters, checked.metrics, settings, sagemaker, again=False)
    except launching.AlreadyStarted:
        launching.only_a_repeat(request)
        return _answer(name, (_describe(sagemaker, name) or {})["TrainingJobArn"], record)


def _start(
    name: str,
    record: runs.RunRecord,
    hyperparameters: Mapping[str, Any],
    metrics: list[dict[str, str]],
    settings: LaunchSettings,
    sagemaker: Any,
    *,
    again: bool = True,
) -> dict[str, Any]:
    """Create the training job; `again` says that a job of this name can only be this one."""
    job = jobs.training_job(name, record, hyperparameters, metrics, settings)
    try:
        arn = launching.create(sagemaker.create_training_job, job, f"training job {name}")["TrainingJobArn"]
    except launching.AlreadyStarted:
        if not again:
            raise
        logs.info("training job was started before", job=name)
        arn = (_describe(sagemaker, name) or {})["TrainingJobArn"]
    else:
        logs.info("training job started", job=name, hyperparameters=job["HyperParameters"])
    return _answer(name, arn, record)


def _answer(name: str, arn: str, record: runs.RunRecord) -> dict[str, Any]:
    return answers.started("training_job", name, arn, record.run)


def _describe(sagemaker: Any, name: str) -> dict[str, Any] | None:
    return launching.describe(sagemaker.describe_training_job, TrainingJobName=name)


def _keys(table: object) -> list[str]:
    return list(table) if isinstance(table, Mapping) else []
