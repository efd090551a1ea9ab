"""From a request to a running batch job: find the job, check everything, bound its cost, list, start.

It is a training job for what those have: managed spot, checkpoints, several instances, a channel that shows
objects without fetching them first (docs/costs.md has the sum against Batch Transform).
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256
from typing import Any, Final

from contract import storage
from contract.batch import (
    COUNT,
    FEATURES,
    FEATURES_WIDTH,
    FORMAT,
    LIST,
    MODEL,
    NAMED_BELOW,
    PICTURES,
    SOURCE,
)
from contract.calibration import PYTORCH
from contract.environment import BatchEnvironment
from contract.instances import has_gpu
from contract.jobs import BATCH_PACKAGE, CODE, PACKAGE
from contract.names import batch_jobs
from functions.common import logs
from functions.common.clients import client
from functions.common.launching import answers, costs, jobs, single
from functions.common.launching.costs import CostBound, Machine
from functions.common.launching.launcher import TRAINING, Launcher
from functions.common.launching.single import REQUEST
from functions.launch_batch import model, pictures
from functions.launch_batch.model import Model
from functions.launch_batch.request import BatchRequest, parse

_SMALLER: Final = (
    "name another instance_type (classifier batch --instance-type); spot instances have quotas of their own, "
    "which --on-demand does without"
)
_LOWER: Final = "max_minutes, instance_count or the instance type"
_BYTES: Final = 2
"""Of a number that is kept of a picture's features."""
_WAITS: Final = 2
"""A spot job may take so many times as long as it may run, waiting included."""


def launch(payload: object, request_id: str, env: BatchEnvironment) -> dict[str, Any]:
    """Start the job that a payload asks for, or find it started.

    Raises:
        UserError: something about the request is wrong; nothing was started.
    """
    request = parse(payload)
    name = single.name(request.name, batch_jobs(env.project), request_id, env)
    logs.bind(job=name)
    launcher = Launcher(kind=TRAINING, env=env, smaller=_SMALLER)
    existing = launcher.describe(name)
    if existing is not None:
        return _answer(name, *single.started_before(existing, name, request_id))
    chosen = model.find(request.version, env)

    def bound(instance_type: str) -> CostBound:
        return _bound(_machine(request, instance_type, env), request.spot)

    types = single.affordable(request.instance_type, env, bound, request.max_cost_usd, _LOWER)
    s3 = client("s3")
    found = None if request.expected else pictures.find(s3, request, env)
    count = found.count if found else request.expected or 0

    def job(instance_type: str) -> jobs.Request:
        return _job(name, request, request_id, instance_type, chosen, count, env)

    if request.dry_run or found is None:
        machines = {
            "instance_type": types[0],
            "instance_types": types,
            "instance_count": request.instance_count,
            "spot": request.spot,
            "parallel_jobs": 1,
        }
        planned, cost = job(types[0]), bound(types[0])
        notes = _notes(planned, chosen)
        return answers.planned(TRAINING.key, name, _in_words(planned), cost, machines, request.source, notes)
    pictures.keep(s3, name, found, env)
    return _answer(name, *single.start(launcher, types, job))


def _machine(request: BatchRequest, instance_type: str, env: BatchEnvironment) -> Machine:
    return Machine(
        instance_type=instance_type,
        instance_count=request.instance_count,
        volume_gb=env.training_volume_gb,
        max_runtime_minutes=request.max_minutes or env.max_runtime_minutes,
    )


def _job(
    name: str,
    request: BatchRequest,
    request_id: str,
    instance_type: str,
    chosen: Model,
    count: int,
    env: BatchEnvironment,
) -> jobs.Request:
    """The CreateTrainingJob request.

    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
    """
    machine = _machine(request, instance_type, env)
    artifacts = f"s3://{env.artifacts_bucket}/"
    named_below = request.key if request.relative else ""
    told = {
        REQUEST: request_id,
        SOURCE: request.source,
        FORMAT: request.format,
        COUNT: str(count),
        **({NAMED_BELOW: named_below} if named_below else {}),
        **({FEATURES: "true"} if request.features else {}),
    }
    longest = machine.max_runtime_minutes * 60
    waiting = {"MaxWaitTimeInSeconds": _WAITS * longest} if request.spot else {}
    tags = {"project": env.project, "model-version": chosen.version}
    return {
        "TrainingJobName": name,
        "HyperParameters": told,
        "Environment": {
            PACKAGE: BATCH_PACKAGE,
            "MODEL_PACKAGE_ARN": chosen.arn,
            **({"SERVE_FORM": PYTORCH} if chosen.on_gpu else {}),
        },
        "AlgorithmSpecification": {
            "TrainingImage": jobs.image(instance_type, env),
            "TrainingInputMode": "File",
        },
        "InputDataConfig": [
            # Read front to back, each once: nothing waits for all of them to be here.
            jobs.channel(PICTURES, request.source, "FastFile"),
            jobs.channel(LIST, artifacts + storage.batch_list(name)),
            jobs.channel(MODEL, chosen.archive),
            jobs.channel(CODE, artifacts + env.code_prefix),
        ],
        "OutputDataConfig": {
            "S3OutputPath": f"{artifacts}{storage.BATCH_ANSWERS}",
            "CompressionType": "NONE",
        },
        "CheckpointConfig": {
            "S3Uri": artifacts + storage.batch_parts(_identity(request, request_id, chosen))
        },
        "ResourceConfig": jobs.resources(machine),
        "RoleArn": env.training_role_arn,
        "StoppingCondition": {"MaxRuntimeInSeconds": longest, **waiting},
        "EnableManagedSpotTraining": request.spot,
        "EnableNetworkIsolation": True,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def _identity(request: BatchRequest, request_id: str, chosen: Model) -> str:
    """Of what is asked of whom: jobs that share it go on with each other's answers."""
    own = [request_id] if request.afresh else []
    text = "\0".join([request.source, str(request.relative), chosen.arn, *own])
    return sha256(text.encode()).hexdigest()[:24]


def _notes(job: single.Job, chosen: Model) -> tuple[str, ...]:
    notes = []
    if chosen.on_gpu and not has_gpu(job["ResourceConfig"]["InstanceType"]):
        notes.append(
            "this model's endpoint answers on a GPU; on a processor the same answers take many times as long"
        )
    told = job["HyperParameters"]
    if FEATURES in told:
        megabytes = int(told[COUNT]) * FEATURES_WIDTH * _BYTES / 1e6
        notes.append(f"features are kept beside the answers: at most {megabytes:,.1f} MB of them")
    return tuple(notes)


def _answer(name: str, arn: str, job: single.Job) -> dict[str, Any]:
    """What was started, where to watch it, and the most it can cost."""
    told, on = job["HyperParameters"], job["ResourceConfig"]
    machine = Machine(
        instance_type=on["InstanceType"],
        instance_count=on["InstanceCount"],
        volume_gb=on["VolumeSizeInGB"],
        max_runtime_minutes=job["StoppingCondition"]["MaxRuntimeInSeconds"] // 60,
    )
    cost = _bound(machine, bool(job.get("EnableManagedSpotTraining")))
    answer = answers.started(TRAINING.key, name, arn, name, told[SOURCE], _in_words(job), cost)
    answer["watch"]["command"] = f"classifier batch --job {name}"
    return answer


def _in_words(job: single.Job) -> str:
    told, on = job["HyperParameters"], job["ResourceConfig"]
    version = job["Environment"]["MODEL_PACKAGE_ARN"].rpartition("/")[2]
    spot = ", managed spot" if job.get("EnableManagedSpotTraining") else ""
    return (
        f"version {version} answers {int(told[COUNT]):,} pictures below {told[SOURCE]}, "
        f"{on['InstanceCount']} × {on['InstanceType']}{spot}"
    )


def _bound(machine: Machine, spot: bool) -> CostBound:
    bound = costs.of_job(machine, "1 batch job")
    return replace(bound, explained=f"{bound.explained}; spot costs less") if spot else bound
