"""A training that AWS had no instance for goes on with the next type of its list, by itself.

The job that follows has the failed one's name with a number, so an event that comes twice finds it started.
Trials are SageMaker's to start again: their search has the whole list (common/launching/jobs.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contract import capacity, names
from contract.environment import LaunchEnvironment
from contract.jobs import CHAMPION, PRETRAINED, trains
from contract.storage import of_run
from functions.common import logs, notify, storage
from functions.common.clients import client, describe
from functions.common.errors import JobExists, QuotaExceeded, RunRecordMissing
from functions.common.events import Event, ignored
from functions.common.launching import runs
from functions.common.launching.launcher import TRAINING, AlreadyStarted, Launcher
from functions.common.recipes.recipe import typed
from functions.launch_training.launch import start


def on_training_failed(event: Event, env: LaunchEnvironment) -> dict[str, Any]:
    """Go on with the training job that an event names, if it failed for want of an instance.

    The event only says where to look: what counts is the job's state now. Returns what was done.

    Raises:
        JobExists: somebody else has a job of the name that the next one would have.
        RefusedByAws: AWS will not start it.
    """
    name = event.name("TrainingJobName")
    logs.bind(job=name, event=event.id)
    job = describe(client("sagemaker").describe_training_job, TrainingJobName=name)
    types = capacity.left(job or {})
    if job is None or not types or not trains(job):
        return ignored(f"{name} has nothing to go on with")
    run = job.get("HyperParameters", {}).get("run", "")
    try:
        record = runs.read(env.artifacts_bucket, run or name)
    except RunRecordMissing as error:
        return ignored(str(error))
    logs.bind(run=record.run)
    if runs.stopped(env.artifacts_bucket, record.run):
        return ignored(f"{record.run} was ended with classifier stop")
    launcher = Launcher(kind=TRAINING, env=env)
    metrics = storage.read_metric_definitions(client("s3"), env.artifacts_bucket, record.code_prefix)
    following, record = names.following(name), record.on(types)
    try:
        arn = start(launcher, following, record, _hyperparameters(job), metrics, _channel(job, CHAMPION))
    except AlreadyStarted:
        arn = _started_before(launcher, following, record)
    except QuotaExceeded as error:
        return _tell(event, name, record, error, env)
    logs.info("no instance; the next type is taken", instance_type=types[0], following=following)
    return {"statusCode": 202, "training_job": following, "arn": arn, "run": record.run}


def _hyperparameters(job: Mapping[str, Any]) -> dict[str, Any]:
    """The failed job's own, with the weights that came to it in a channel named by where they are."""
    found = typed(job["HyperParameters"])
    weights = _channel(job, PRETRAINED)
    return {**found, **({"weights": weights} if weights else {})}


def _channel(job: Mapping[str, Any], name: str) -> str:
    """Where a channel's objects are in S3; empty for a job without that channel."""
    for each in job.get("InputDataConfig", []):
        if each["ChannelName"] == name:
            return str(each["DataSource"]["S3DataSource"]["S3Uri"])
    return ""


def _started_before(launcher: Launcher, name: str, record: runs.RunRecord) -> str:
    found = launcher.describe(name) or {}
    if found.get("HyperParameters", {}).get("run") != record.run:
        raise JobExists(f'{record.run} cannot go on: a job named "{name}" is another run\'s')
    logs.info("training job was started before", job=name)
    return str(found["TrainingJobArn"])


def _tell(
    event: Event, name: str, record: runs.RunRecord, error: QuotaExceeded, env: LaunchEnvironment
) -> dict[str, Any]:
    """Mail that a training ended for want of an instance, and of a quota for those that come after it."""
    if not notify.once(env.artifacts_bucket, of_run(record.run, f"told-{name}-Failed.json"), event.id):
        return ignored(f"{name} Failed was told of before")
    notify.send(
        env,
        f"training job {name}: Failed",
        f"AWS had no instance for the training job {name} (recipe {record.recipe.name}, data set "
        f"{record.data}), and of the other types this account may have none: "
        f"{', '.join(record.instance_types)}. So there is no model of it.",
        f"Why: {error}",
        "Ask for a quota of one of them (classifier check says how), or wait, and train again.",
    )
    return {"told": "Failed", "job": name}
