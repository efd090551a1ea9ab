"""What a tuning job's end leads to: its last training, or a message that says why there is none and how to
go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contract.environment import LaunchEnvironment
from contract.names import function
from contract.storage import of_run
from functions.common import logs, notify
from functions.common.clients import client, describe
from functions.common.errors import RunRecordMissing
from functions.common.events import Event, ignored
from functions.common.launching import runs
from functions.common.recipes.recipe import typed
from functions.launch_training.launch import after_tuning


def on_tuning_ended(event: Event, env: LaunchEnvironment) -> dict[str, Any]:
    """Act on the end of the tuning job that an event names.

    The event only says where to look: what counts is the job's state now, so a late or repeated event does
    no harm. Returns what was done.
    """
    name = event.name("HyperParameterTuningJobName")
    logs.bind(run=name, event=event.id)
    description = describe(
        client("sagemaker").describe_hyper_parameter_tuning_job, HyperParameterTuningJobName=name
    )
    if description is None:
        return ignored(f"there is no tuning job {name}")
    try:
        record = runs.read(env.artifacts_bucket, name)
    except RunRecordMissing as error:
        return ignored(str(error))
    status = description["HyperParameterTuningJobStatus"]
    if status in ("Completed", "Stopped") and runs.stopped(env.artifacts_bucket, name):
        return ignored(f"{name} was ended with classifier stop")
    if status == "Completed" and "TunedHyperParameters" in description.get("BestTrainingJob", {}):
        return after_tuning(description, env)
    if status not in ("Completed", "Failed", "Stopped"):
        return ignored(f"{name} is {status}")
    failed = _first_failure(name) if status == "Failed" else ""
    return _tell(event, record, description, failed, env)


def _tell(
    event: Event, record: runs.RunRecord, description: Mapping[str, Any], failed: str, env: LaunchEnvironment
) -> dict[str, Any]:
    """Mail that a tuning job ended without a last training."""
    name, status = record.run, description["HyperParameterTuningJobStatus"]
    if not notify.once(env.artifacts_bucket, of_run(name, f"told-{status}.json"), event.id):
        return ignored(f"{name} {status} was told of before")
    best = description.get("BestTrainingJob", {})
    request: dict[str, Any] = {"recipe": record.recipe.name, "dataset": record.data}
    if "TunedHyperParameters" in best:
        found = {**typed(best["TunedHyperParameters"]), **record.recipe.final}
        go_on = f"To train with the best hyperparameters found so far ({best['TrainingJobName']}):"
        command = notify.invoke_command(
            function(env.project, "launch-training"), {**request, "hyperparameters": found}
        )
    else:
        go_on = "When the cause is put right, search again:"
        command = notify.invoke_command(f"{env.project}-launch-tuning", request)
    notify.send(
        env,
        f"tuning job {name}: {status}",
        f"The tuning job {name} (recipe {record.recipe.name}, data set {record.data}) ended as {status}, "
        "so no model was trained from it.",
        f"Why: {_reason(description)}{failed}",
        f"{go_on}\n{command}",
    )
    return {"told": status, "run": name}


def _first_failure(name: str) -> str:
    """What the first failed trial said, for the tuning job's own reason only says that none succeeded."""
    trials = client("sagemaker").list_training_jobs_for_hyper_parameter_tuning_job(
        HyperParameterTuningJobName=name, StatusEquals="Failed", SortBy="CreationTime", SortOrder="Ascending"
    )["TrainingJobSummaries"]
    for trial in trials:
        if trial.get("FailureReason"):
            return f"\n{trial['TrainingJobName']} said: {trial['FailureReason']}"
    return ""


def _reason(description: Mapping[str, Any]) -> str:
    """AWS's reason, and what became of the trials."""
    counters = description.get("TrainingJobStatusCounters", {})
    trials = ", ".join(f"{counters[key]} {key}" for key in counters if counters[key]) or "none"
    if description["HyperParameterTuningJobStatus"] == "Completed":
        reason = "no trial reported the objective metric."
    elif description["HyperParameterTuningJobStatus"] == "Stopped":
        reason = "somebody stopped it, or it reached its longest run time."
    else:
        reason = description.get("FailureReason") or "AWS gives no reason; look at the trials' logs."
    return f"{reason} Trials: {trials}."
