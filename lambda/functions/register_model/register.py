"""From a finished training job to a version in the registry, judged; or a mail that says why there is none.

Main path: describe the job, read its evaluation, judge it against the champion, create the package, keep its
image. A package is looked for first, so an event that comes twice makes no second version.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract import capacity, names, objects, storage
from contract.decisions import Outcome, Reason
from contract.environment import RegisterEnvironment
from contract.evaluation import FILE
from contract.jobs import trains
from functions.common import logs, notify
from functions.common.clients import client, describe
from functions.common.errors import RunRecordMissing
from functions.common.events import Event, ignored
from functions.common.launching import runs
from functions.common.recipes.recipe import typed
from functions.register_model import evaluation, findings, gate, images, package

MAX_VERDICT_BYTES = 1024 * 1024


def on_training_ended(event: Event, env: RegisterEnvironment) -> dict[str, Any]:
    """Act on the end of the training job that an event names; what counts is the job's state now.

    Raises:
        OutputInvalid: the job's output tells nothing that can be believed.
    """
    name = event.name("TrainingJobName")
    logs.bind(job=name, event=event.id)
    job = describe(client("sagemaker").describe_training_job, TrainingJobName=name)
    if job is None:
        return ignored(f"there is no training job {name}")
    if "TuningJobArn" in job or not trains(job):
        return ignored(f"{name} is a trial of a tuning job, or makes no model")
    run = job.get("HyperParameters", {}).get("run", "")
    try:
        record = runs.read(env.artifacts_bucket, run or name)
    except RunRecordMissing as error:
        return ignored(str(error))
    logs.bind(run=record.run)
    status = job["TrainingJobStatus"]
    if status in ("Completed", "Stopped") and runs.stopped(env.artifacts_bucket, record.run):
        return ignored(f"{record.run} was ended with classifier stop")
    if capacity.left(job):
        return ignored(f"launch-training goes on with {name} on another instance type")
    if status in ("Failed", "Stopped"):
        return _tell_ended(event, record, job, env)
    if status != "Completed":
        return ignored(f"{name} is {status}")
    found = package.find(env.model_package_group, job)
    if found is None:
        found = _register(event, record, job, env)
    else:
        logs.info("registered before", package=found["ModelPackageArn"])
    images.agree(found["ModelPackageArn"], env)
    approval = found["ModelApprovalStatus"]
    # What became of a version since, by a person or a release that failed, is not the gate's to tell.
    decided = _decided(name, env)
    if approval != "Approved" and approval == decided.approval:
        _tell_not_approved(event, found, job, decided.outcome, env)
    return {"model_package": found["ModelPackageArn"], "approval": approval}


def _register(
    event: Event, record: runs.RunRecord, job: Mapping[str, Any], env: RegisterEnvironment
) -> dict[str, Any]:
    """Judge the model and create its package; returns what a list of packages would show of it."""
    name = job["TrainingJobName"]
    measured = evaluation.fetch(env.artifacts_bucket, f"{storage.JOBS}/{storage.output_of(name)}")
    findings.tell(event, job, measured.raw, env)
    champion = package.champion(env)
    verdict = gate.judge(measured, _size_mb(job), champion, env)
    approval = package.approval(verdict, env)
    logs.info("judged", passed=verdict.passed, reason=verdict.reason, **verdict.numbers)
    document = {
        "passed": verdict.passed,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "approval": approval,
        **verdict.numbers,
    }
    for key, body in (
        (storage.of_run(name, FILE), measured.raw),
        (storage.of_run(name, storage.VERDICT), json.dumps(document, indent=1).encode()),
    ):
        client("s3").put_object(
            Bucket=env.artifacts_bucket, Key=key, Body=body, ContentType="application/json"
        )
    facts = {"run": record.run, "recipe": record.recipe.name, "dataset": record.dataset}
    request = package.request(job, facts, measured, verdict, env)
    arn = client("sagemaker").create_model_package(**request)["ModelPackageArn"]
    logs.info("registered", package=arn, approval=request["ModelApprovalStatus"])
    listed = {key: request[key] for key in ("ModelApprovalStatus", "ModelPackageDescription")}
    return {"ModelPackageArn": arn, **listed}


@dataclass(frozen=True)
class _Decided:
    """What the gate decided over a training's version."""

    approval: str
    outcome: Outcome


def _decided(job: str, env: RegisterEnvironment) -> _Decided:
    """What its verdict.json says; one of an older kind has no outcome."""
    raw = objects.read(
        client("s3"), env.artifacts_bucket, storage.of_run(job, storage.VERDICT), MAX_VERDICT_BYTES
    )
    verdict = json.loads(raw) if raw else {}
    approval = str(verdict.get("approval", ""))
    older = Outcome.GATE if approval == "Rejected" else Outcome.PASSED
    return _Decided(approval, Outcome(verdict.get("outcome", older)))


def _size_mb(job: Mapping[str, Any]) -> float:
    """Of the model archive, in megabytes."""
    bucket, _, key = job["ModelArtifacts"]["S3ModelArtifacts"].removeprefix("s3://").partition("/")
    return float(client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"]) / 1e6


def _tell_not_approved(
    event: Event,
    found: Mapping[str, Any],
    job: Mapping[str, Any],
    outcome: Outcome,
    env: RegisterEnvironment,
) -> None:
    """Say once why a new version does not serve yet, and what a person can do about it."""
    arn, status, name = found["ModelPackageArn"], found["ModelApprovalStatus"], job["TrainingJobName"]
    if not notify.once(env.artifacts_bucket, storage.of_run(name, "told-registered.json"), event.id):
        return
    reason = package.reason(found["ModelPackageDescription"], name)
    if outcome is not Outcome.PASSED:
        # CreateModelPackage takes no approval description; the reason belongs where people look for it.
        client("sagemaker").update_model_package(
            ModelPackageArn=arn,
            ModelApprovalStatus=status,
            ApprovalDescription=Reason(outcome, reason).text(),
        )
    subject, what = _WORDS[outcome]
    notify.send(
        env,
        f"{subject}: {name}",
        f"The training job {name} became {arn}: {reason}.",
        f"{what}\n{notify.approve_command(arn)}",
    )


_WORDS = {
    Outcome.GATE: ("a model did not pass the quality gate", "To let it serve all the same:"),
    Outcome.LEAKED: (
        "a model was tested on its training pictures",
        "Take them out of one of the two splits and train again: verdict.json and the training's report name "
        "the first 20 of them. To let it serve all the same:",
    ),
    Outcome.OTHER_CLASSES: (
        "a model of other classes waits for your approval",
        "Callers would get other classes than now. It serves once you approve it:",
    ),
    Outcome.PASSED: ("a model waits for your approval", "It serves once you approve it:"),
}
"""Of the mail about each: its subject, and what a person can do."""


def _tell_ended(
    event: Event, record: runs.RunRecord, job: Mapping[str, Any], env: RegisterEnvironment
) -> dict[str, Any]:
    name, status = job["TrainingJobName"], job["TrainingJobStatus"]
    marker = storage.of_run(record.run, f"told-{name}-{status}.json")
    if not notify.once(env.artifacts_bucket, marker, event.id):
        return ignored(f"{name} {status} was told of before")
    reason = job.get("FailureReason") or "somebody stopped it."
    command = notify.invoke_command(
        names.function(env.project, "launch-training"),
        {"recipe": record.recipe.name, "dataset": record.data, "hyperparameters": _own(job, record)},
    )
    notify.send(
        env,
        f"training job {name}: {status}",
        f"The training job {name} (recipe {record.recipe.name}, data set {record.data}) ended as "
        f"{status}, so there is no model of it.",
        f"Why: {reason}\nIts log: aws logs tail /aws/sagemaker/TrainingJobs --log-stream-name-prefix {name}/",
        f"When the cause is put right, train again:\n{command}",
    )
    return {"told": status, "job": name}


def _own(job: Mapping[str, Any], record: runs.RunRecord) -> dict[str, Any]:
    """The job's hyperparameters that differ from its recipe's, in the recipe's types."""
    recipe = record.recipe.hyperparameters
    given = typed(job.get("HyperParameters", {}))
    return {key: value for key, value in given.items() if value != recipe.get(key) and value != "pretrained"}
