"""From a finished training job to a version in the registry, judged; or a mail that says why there is none.

Main path: describe the job, read its evaluation, judge it against the champion, create the package, keep its
image. A package is looked for first, so an event that comes twice makes no second version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract import capacity, names, storage
from contract.decisions import Outcome, Reason
from contract.environment import RegisterEnvironment
from contract.evaluation import FILE
from functions.common import launching, logs, notify, runs
from functions.common.errors import RunRecordMissing
from functions.common.events import Event
from functions.common.storage import read_object
from functions.common.tuned import typed
from functions.register_model import evaluation, findings, gate, images, package

MAX_VERDICT_BYTES = 64 * 1024


@dataclass(frozen=True)
class Clients:
    """The services this function talks to."""

    sagemaker: Any
    s3: Any
    ssm: Any
    ecr: Any


def on_training_ended(event: Event, settings: RegisterEnvironment, clients: Clients) -> dict[str, Any]:
    """Act on the end of the training job that an event names; what counts is the job's state now.

    Raises:
        EvaluationInvalid: the job's output tells nothing that can be believed.
    """
    name = event.name("TrainingJobName")
    logs.bind(job=name, event=event.id)
    job = launching.describe(clients.sagemaker.describe_training_job, TrainingJobName=name)
    if job is None:
        return _ignored(f"there is no training job {name}")
    if "TuningJobArn" in job:
        return _ignored(f"{name} is a trial of a tuning job")
    run = job.get("HyperParameters", {}).get("run", "")
    try:
        record = runs.read(clients.s3, settings.artifacts_bucket, run or name)
    except RunRecordMissing as error:
        return _ignored(str(error))
    logs.bind(run=record.run)
    status = job["TrainingJobStatus"]
    if status in ("Completed", "Stopped") and runs.stopped(clients.s3, settings.artifacts_bucket, record.run):
        return _ignored(f"{record.run} was ended with classifier stop")
    if capacity.left(job):
        return _ignored(f"launch-training goes on with {name} on another instance type")
    if status in ("Failed", "Stopped"):
        return _tell_ended(event, record, job, settings, clients)
    if status != "Completed":
        return _ignored(f"{name} is {status}")
    found = package.find(clients.sagemaker, settings.model_package_group, job)
    if found is None:
        found = _register(event, record, job, settings, clients)
    else:
        logs.info("registered before", package=found["ModelPackageArn"])
    images.agree(clients.sagemaker, clients.ecr, found["ModelPackageArn"], settings)
    approval = found["ModelApprovalStatus"]
    # What became of a version since, by a person or a release that failed, is not the gate's to tell.
    if approval != "Approved" and approval == _decided(name, settings, clients):
        _tell_not_approved(event, found, job, settings, clients)
    return {"model_package": found["ModelPackageArn"], "approval": approval}


def _register(
    event: Event,
    record: runs.RunRecord,
    job: Mapping[str, Any],
    settings: RegisterEnvironment,
    clients: Clients,
) -> dict[str, Any]:
    """Judge the model and create its package; returns what a list of packages would show of it."""
    name = job["TrainingJobName"]
    measured = evaluation.fetch(
        clients.s3, settings.artifacts_bucket, f"{storage.JOBS}/{storage.output_of(name)}"
    )
    findings.tell(event, job, measured.raw, settings, clients.s3)
    champion = package.champion(clients.sagemaker, clients.ssm, clients.s3, settings)
    verdict = gate.judge(measured, _size_mb(job, clients), champion, settings)
    approval = package.approval(verdict, settings)
    logs.info("judged", passed=verdict.passed, reason=verdict.reason, **verdict.numbers)
    told = {"passed": verdict.passed, "reason": verdict.reason, "approval": approval, **verdict.numbers}
    for key, body in (
        (storage.of_run(name, FILE), measured.raw),
        (storage.of_run(name, storage.VERDICT), json.dumps(told, indent=1).encode()),
    ):
        clients.s3.put_object(
            Bucket=settings.artifacts_bucket, Key=key, Body=body, ContentType="application/json"
        )
    facts = {"run": record.run, "recipe": record.recipe.name, "dataset": record.dataset}
    request = package.request(job, facts, measured, verdict, settings)
    arn = clients.sagemaker.create_model_package(**request)["ModelPackageArn"]
    logs.info("registered", package=arn, approval=request["ModelApprovalStatus"])
    return {
        "ModelPackageArn": arn,
        "ModelApprovalStatus": request["ModelApprovalStatus"],
        "ModelPackageDescription": request["ModelPackageDescription"],
    }


def _decided(job: str, settings: RegisterEnvironment, clients: Clients) -> str:
    """The approval that the gate gave a training's version."""
    key = storage.of_run(job, storage.VERDICT)
    raw = read_object(clients.s3, settings.artifacts_bucket, key, MAX_VERDICT_BYTES)
    return str(json.loads(raw)["approval"]) if raw else ""


def _size_mb(job: Mapping[str, Any], clients: Clients) -> float:
    """Of the model archive, in megabytes."""
    bucket, _, key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    return float(clients.s3.head_object(Bucket=bucket, Key=key)["ContentLength"]) / 1e6


def _tell_not_approved(
    event: Event,
    found: Mapping[str, Any],
    job: Mapping[str, Any],
    settings: RegisterEnvironment,
    clients: Clients,
) -> None:
    """Say once why a new version does not serve yet, and what a person can do about it."""
    arn, status, name = found["ModelPackageArn"], found["ModelApprovalStatus"], job["TrainingJobName"]
    if not notify.once(
        clients.s3, settings.artifacts_bucket, storage.of_run(name, "told-registered.json"), event.id
    ):
        return
    reason = package.reason(found["ModelPackageDescription"], name)
    if status == "Rejected":
        # CreateModelPackage takes no approval description; the reason belongs where people look for it.
        clients.sagemaker.update_model_package(
            ModelPackageArn=arn,
            ModelApprovalStatus=status,
            ApprovalDescription=Reason(Outcome.GATE, reason).text(),
        )
        subject, what = "a model did not pass the quality gate", "To let it serve all the same:"
    else:
        subject, what = "a model waits for your approval", "It serves once you approve it:"
    notify.send(
        settings.notification_topic_arn,
        f"[{settings.project}] {subject}: {name}",
        f"The training job {name} became {arn}: {reason}.",
        f"{what}\n{notify.approve_command(arn)}",
    )


def _tell_ended(
    event: Event,
    record: runs.RunRecord,
    job: Mapping[str, Any],
    settings: RegisterEnvironment,
    clients: Clients,
) -> dict[str, Any]:
    name, status = job["TrainingJobName"], job["TrainingJobStatus"]
    marker = storage.of_run(record.run, f"told-{name}-{status}.json")
    if not notify.once(clients.s3, settings.artifacts_bucket, marker, event.id):
        return _ignored(f"{name} {status} was told of before")
    reason = job.get("FailureReason") or "somebody stopped it."
    again = notify.invoke_command(
        names.function(settings.project, "launch-training"),
        {"recipe": record.recipe.name, "dataset": record.data, "hyperparameters": _own(job, record)},
    )
    notify.send(
        settings.notification_topic_arn,
        f"[{settings.project}] training job {name}: {status}",
        f"The training job {name} (recipe {record.recipe.name}, data set {record.data}) ended as "
        f"{status}, so there is no model of it.",
        f"Why: {reason}\nIts log: aws logs tail /aws/sagemaker/TrainingJobs --log-stream-name-prefix {name}/",
        f"When the cause is put right, train again:\n{again}",
    )
    return {"told": status, "job": name}


def _own(job: Mapping[str, Any], record: runs.RunRecord) -> dict[str, Any]:
    """The job's hyperparameters that differ from its recipe's, in the recipe's types."""
    recipe = record.recipe.hyperparameters
    given = typed(job.get("HyperParameters", {}))
    return {key: value for key, value in given.items() if value != recipe.get(key) and value != "pretrained"}


def _ignored(reason: str) -> dict[str, Any]:
    logs.info("ignored", reason=reason)
    return {"ignored": reason}
