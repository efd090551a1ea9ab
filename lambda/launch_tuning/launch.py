"""From a request to a running tuning job: check everything, write the run's record, start.

The job's name is made of the request's id, so the same request asked again finds its job and answers the
same.
"""

from __future__ import annotations

from typing import Any

from common import answers, jobs, launching, logs, names, requests, runs
from common.environment import LaunchSettings
from common.errors import InvalidRecipe


def launch(
    payload: object, request_id: str, settings: LaunchSettings, sagemaker: Any, s3: Any
) -> dict[str, Any]:
    """Start the tuning job a payload asks for, or find it running.

    Raises:
        UserError: something about the request is wrong; nothing was started.
    """
    request = requests.parse(payload, with_hyperparameters=False)
    name = launching.name_of(request, request_id, settings.project, names.TUNING_NAME_LENGTH)
    logs.bind(run=name)
    found = _describe(sagemaker, name)
    if found is not None:
        return _again(name, found, request_id, settings, s3)
    checked = launching.check(request, settings, s3)
    tuning = checked.recipe.tuning
    if tuning is None or not tuning.ranges:
        raise InvalidRecipe(
            f"{checked.recipe.source} leaves nothing to search: give it [tuning] and at least one "
            "[tuning.ranges.*], or train it directly with launch-training"
        )
    record = runs.RunRecord(
        run=name,
        kind="tuning",
        request_id=request_id,
        dataset=request.dataset,
        code_prefix=settings.code_prefix,
        recipe=checked.recipe,
    )
    runs.write(s3, settings.artifacts_bucket, record)
    job = jobs.tuning_job(name, record, tuning, checked.metrics, settings)
    try:
        answer = launching.create(sagemaker.create_hyper_parameter_tuning_job, job, f"tuning job {name}")
    except launching.AlreadyStarted:
        launching.only_a_repeat(request)
        return _again(name, _describe(sagemaker, name) or {}, request_id, settings, s3)
    logs.info("tuning job started", recipe=request.recipe, dataset=request.dataset, jobs=tuning.max_jobs)
    return answers.started("tuning_job", name, answer["HyperParameterTuningJobArn"], name)


def _describe(sagemaker: Any, name: str) -> dict[str, Any] | None:
    return launching.describe(sagemaker.describe_hyper_parameter_tuning_job, HyperParameterTuningJobName=name)


def _again(
    name: str, found: dict[str, Any], request_id: str, settings: LaunchSettings, s3: Any
) -> dict[str, Any]:
    launching.must_be_same_request(name, request_id, settings, s3)
    logs.info("tuning job was started by this request before")
    return answers.started("tuning_job", name, found["HyperParameterTuningJobArn"], name)
