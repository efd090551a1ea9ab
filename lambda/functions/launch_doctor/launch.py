"""From a request to a running job of the doctor: find the job, check everything, bound its cost, start.

The job's own description is all there is of it: no run has it, so nothing follows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

from contract import storage
from contract.datasets.manifest import Version
from contract.environment import LaunchEnvironment
from contract.jobs import CODE, DATASET, DOCTOR_PACKAGE, PACKAGE, PRETRAINED
from contract.names import TRAINING_JOB_LENGTH, doctor_jobs
from functions.common import logs
from functions.common.clients import client
from functions.common.errors import InvalidDataset, InvalidName, JobExists, QuotaExceeded
from functions.common.launching import answers, costs, datasets, jobs, names, runs, weights
from functions.common.launching.costs import CostBound, Machine
from functions.common.launching.launcher import TRAINING, AlreadyStarted, Launcher
from functions.launch_doctor.request import DoctorRequest, parse

_REQUEST: Final = "request"
"""The hyperparameter with the id of the request that a job was started by."""
_SMALLER: Final = "name another instance_type (classifier doctor --instance-type)"
_LOWER: Final = "max_minutes or the instance type"


def launch(payload: object, request_id: str, env: LaunchEnvironment) -> dict[str, Any]:
    """Start the job that a payload asks for, or find it started.

    Raises:
        UserError: something about the request is wrong; nothing was started.
    """
    request = parse(payload)
    name = _name(request, request_id, env)
    logs.bind(job=name)
    launcher = Launcher(kind=TRAINING, env=env, smaller=_SMALLER)
    found = launcher.describe(name)
    if found is not None:
        return _existing(name, found, request_id)
    s3 = client("s3")
    data = datasets.find(s3, env.data_bucket, request.dataset, request.dataset_version)
    _check_not_packed(data.version)
    if request.weights is not None:
        weights.check_file(request.weights, env.artifacts_bucket)
    types = _affordable(request, env)
    if request.dry_run:
        job = _job(name, request, request_id, types[0], data.version, env)
        machines = {
            "instance_type": types[0],
            "instance_types": types,
            "instance_count": 1,
            "spot": False,
            "parallel_jobs": 1,
        }
        return answers.planned(TRAINING.key, name, _in_words(job), _cost_of(job), machines, data)
    version = datasets.settled(s3, env.data_bucket, data)
    _check_not_packed(version)
    for instance_type in types:
        job = _job(name, request, request_id, instance_type, version, env)
        try:
            return _answer(name, launcher.create(name, job), job)
        except AlreadyStarted:
            return _existing(name, launcher.describe(name) or {}, request_id)
        except QuotaExceeded:
            if instance_type == types[-1]:
                raise
            logs.info("no quota; the next type is taken", instance_type=instance_type)
    raise AssertionError("there is one type at least")


def _name(request: DoctorRequest, request_id: str, env: LaunchEnvironment) -> str:
    """The caller's name for the job, or the one that belongs to the request."""
    begins = doctor_jobs(env.project)
    if request.name is None:
        return f"{begins}{sha256(request_id.encode()).hexdigest()[:8]}"
    name = names.checked(request.name, env.project, TRAINING_JOB_LENGTH)
    if not name.startswith(begins):
        raise InvalidName(f'job name "{name}" has to start with "{begins}", as all of the doctor\'s do')
    return name


def _check_not_packed(version: Version) -> None:
    if version.packed:
        raise InvalidDataset(
            f"the data set {version.name} is packed ({', '.join(sorted(version.packed.values()))}), and the "
            "doctor looks at single pictures; unpack it and run `classifier upload DIR`"
        )


def _affordable(request: DoctorRequest, env: LaunchEnvironment) -> list[str]:
    """The first choice, and of the other types those on which it could not cost more than it may."""
    first, *others = (request.instance_type,) if request.instance_type else env.training_instance_types

    def guard(instance_type: str) -> None:
        costs.guard(_bound(_machine(request, instance_type, env)), request.max_cost_usd, _LOWER)

    guard(first)
    affordable = [first]
    for each in others:
        try:
            guard(each)
            affordable.append(each)
        except (costs.CostTooHigh, costs.UnknownPrice) as error:
            logs.info("too dear a type", instance_type=each, reason=str(error))
    return affordable


def _machine(request: DoctorRequest, instance_type: str, env: LaunchEnvironment) -> Machine:
    return Machine(
        instance_type=instance_type,
        instance_count=1,
        volume_gb=env.training_volume_gb,
        max_runtime_minutes=request.max_minutes or env.max_runtime_minutes,
    )


def _job(
    name: str,
    request: DoctorRequest,
    request_id: str,
    instance_type: str,
    version: Version,
    env: LaunchEnvironment,
) -> jobs.Request:
    """The CreateTrainingJob request.

    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateTrainingJob.html
    """
    machine = _machine(request, instance_type, env)
    channels = {CODE: f"s3://{env.artifacts_bucket}/{env.code_prefix}"}
    if request.weights is not None:
        channels[PRETRAINED] = request.weights
    data = runs.of_version(version)
    pictures = jobs.channels_of(data["dataset"], data["dataset_version"], data["pictures"], env)
    tags = {"project": env.project, "dataset": version.dataset, "dataset-version": str(version.number)}
    return {
        "TrainingJobName": name,
        "HyperParameters": {DATASET: version.name, _REQUEST: request_id},
        "Environment": {PACKAGE: DOCTOR_PACKAGE},
        "AlgorithmSpecification": {
            "TrainingImage": jobs.image(instance_type, env),
            "TrainingInputMode": "File",
        },
        "InputDataConfig": [*pictures, *(jobs.channel(*each) for each in channels.items())],
        "OutputDataConfig": {"S3OutputPath": f"s3://{env.artifacts_bucket}/{storage.DOCTOR}"},
        "ResourceConfig": jobs.resources(machine),
        "RoleArn": env.training_role_arn,
        "StoppingCondition": {"MaxRuntimeInSeconds": machine.max_runtime_minutes * 60},
        "EnableNetworkIsolation": True,
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
    }


def _existing(name: str, found: Mapping[str, Any], request_id: str) -> dict[str, Any]:
    """The answer for a job that exists: the same as at first, if this very request started it.

    Raises:
        JobExists: another request started it.
    """
    if found.get("HyperParameters", {}).get(_REQUEST) != request_id:
        raise JobExists(
            f'a job named "{name}" exists; choose another "name", or leave it out to get a new one'
        )
    logs.info("the job was started by this request before")
    return _answer(name, found["TrainingJobArn"], found)


def _answer(name: str, arn: str, job: Mapping[str, Any]) -> dict[str, Any]:
    """What was started, where to watch it, and the most it can cost.

    Args:
        job: the request or the description of it: both have what is needed.
    """
    dataset = job["HyperParameters"][DATASET]
    answer = answers.started(TRAINING.key, name, arn, name, dataset, _in_words(job), _cost_of(job))
    answer["watch"]["command"] = f"classifier doctor --job {name}"
    return answer


def _in_words(job: Mapping[str, Any]) -> str:
    on = job["ResourceConfig"]
    return f"the doctor on {job['HyperParameters'][DATASET]}, {on['InstanceCount']} × {on['InstanceType']}"


def _cost_of(job: Mapping[str, Any]) -> CostBound:
    on = job["ResourceConfig"]
    return _bound(
        Machine(
            instance_type=on["InstanceType"],
            instance_count=on["InstanceCount"],
            volume_gb=on["VolumeSizeInGB"],
            max_runtime_minutes=job["StoppingCondition"]["MaxRuntimeInSeconds"] // 60,
        )
    )


def _bound(machine: Machine) -> CostBound:
    return costs.of_job(machine, "1 job of the doctor")
