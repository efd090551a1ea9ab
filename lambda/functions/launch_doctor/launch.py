"""From a request to a running job of the doctor: find the job, check everything, bound its cost, start.

The job's own description is all there is of it: no run has it, so nothing follows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from contract import storage
from contract.datasets.manifest import Version
from contract.environment import LaunchEnvironment
from contract.jobs import CODE, DATASET, DOCTOR_PACKAGE, PACKAGE, PRETRAINED
from contract.names import doctor_jobs
from functions.common import logs
from functions.common.clients import client
from functions.common.errors import InvalidDataset
from functions.common.launching import answers, costs, datasets, jobs, runs, single, weights
from functions.common.launching.costs import CostBound, Machine
from functions.common.launching.launcher import TRAINING, Launcher
from functions.common.launching.single import REQUEST
from functions.launch_doctor.request import DoctorRequest, parse

_SMALLER: Final = "name another instance_type (classifier doctor --instance-type)"
_LOWER: Final = "max_minutes or the instance type"


def launch(payload: object, request_id: str, env: LaunchEnvironment) -> dict[str, Any]:
    """Start the job that a payload asks for, or find it started.

    Raises:
        UserError: something about the request is wrong; nothing was started.
    """
    request = parse(payload)
    name = single.name(request.name, doctor_jobs(env.project), request_id, env)
    logs.bind(job=name)
    launcher = Launcher(kind=TRAINING, env=env, smaller=_SMALLER)
    found = launcher.describe(name)
    if found is not None:
        return _answer(name, *single.started_before(found, name, request_id))
    s3 = client("s3")
    data = datasets.find(s3, env.data_bucket, request.dataset, request.dataset_version)
    _check_not_packed(data.version)
    if request.weights is not None:
        weights.check_file(request.weights, env.artifacts_bucket)

    def bound(instance_type: str) -> CostBound:
        return _bound(_machine(request, instance_type, env))

    types = single.affordable(request.instance_type, env, bound, request.max_cost_usd, _LOWER)
    if request.dry_run:
        job = _job(name, request, request_id, types[0], data.version, env)
        machines = {
            "instance_type": types[0],
            "instance_types": types,
            "instance_count": 1,
            "spot": False,
            "parallel_jobs": 1,
        }
        return answers.planned(
            TRAINING.key, name, _in_words(job), _cost_of(job), machines, data.version.name, data.notes
        )
    version = datasets.settled(s3, env.data_bucket, data)
    _check_not_packed(version)
    return _answer(
        name,
        *single.start(launcher, types, lambda each: _job(name, request, request_id, each, version, env)),
    )


def _check_not_packed(version: Version) -> None:
    if version.packed:
        raise InvalidDataset(
            f"the data set {version.name} is packed ({', '.join(sorted(version.packed.values()))}), and the "
            "doctor looks at single pictures; unpack it and run `classifier upload DIR`"
        )


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
        "HyperParameters": {DATASET: version.name, REQUEST: request_id},
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
