"""Training jobs: the API, and the documents behind it.

CreateTrainingJob stores a document and starts a `TrainingRun` in a thread of its own. The document is the
answer of DescribeTrainingJob. Jobs that ran when the server died are reported as failed when it starts again.
"""

from __future__ import annotations

import shutil
from typing import Any

from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.errors import ResourceInUse, ValidationException
from local_aws.sagemaker.registry.models import check_image
from local_aws.sagemaker.training import channels, definition, instances
from local_aws.sagemaker.training.channels import ChannelCache
from local_aws.sagemaker.training.job_state import JOBS, STOPPED_WITH_SERVER, TERMINAL, JobState
from local_aws.sagemaker.training.machine import Machine
from local_aws.sagemaker.training.run import TrainingRun

Document = dict[str, Any]


class TrainingJobs:
    """The training jobs of this server. One object, shared with the tuning jobs."""

    def __init__(self, aws: LocalAws) -> None:
        self.aws = aws
        self.machine = Machine()
        self.cache = ChannelCache(aws.root / "channel-cache")
        self._runs: dict[str, TrainingRun] = {}

    def create(self, request: Request, *, tuning: Document | None = None, together: int = 1) -> TrainingRun:
        """Store a job whose request has been checked, and start it.

        Args:
            tuning: members a tuning job gives its children (TuningJobArn, TunedHyperParameters, ...).
            together: how many jobs are meant to run side by side with it, itself included.

        Raises ResourceInUse for a name that is taken, and ResourceLimitExceeded beyond the account's quotas.
        """
        name, arn, now = request["TrainingJobName"], self.arn(request["TrainingJobName"]), self.aws.now()
        job: Document = {
            "EnableNetworkIsolation": False,
            "EnableInterContainerTrafficEncryption": False,
            "EnableManagedSpotTraining": False,
            "ProfilingStatus": "Disabled",
            **{member: value for member, value in request.items() if member != "Tags"},
            **(tuning or {}),
            "TrainingJobArn": arn,
            "TrainingJobStatus": "InProgress",
            "CreationTime": now,
            "LastModifiedTime": now,
        }
        job.setdefault("StoppingCondition", {}).setdefault(
            "MaxRuntimeInSeconds", definition.DEFAULT_RUNTIME_SECONDS
        )
        with self.aws.store.transaction():
            instances.check_quotas(self.aws, job)
            JOBS.create(self.aws, job, request)
        state = JobState(self.aws, name)
        state.progress("Starting", "Starting the training job")
        run = self._runs[name] = TrainingRun(self.aws, self.machine, self.cache, job, state, together)
        run.finished(lambda: self._runs.pop(name, None))
        self.aws.spawn(run.run, f"training {name}")
        return run

    def check(self, request: Request) -> None:
        """Raise ValidationException or AccessDenied for a definition that cannot run, as AWS would."""
        definition.check(request)
        role = request["RoleArn"]
        self.aws.check_pass_role(role)
        check_image(self.aws, request["AlgorithmSpecification"]["TrainingImage"])
        inputs = request.get("InputDataConfig", [])
        if inputs:
            channels.check_objects(self.aws.client("s3", role), inputs, role, self.aws.region)

    def get(self, name: str) -> Document:
        """The job's document. Raises ValidationException, as AWS does, if there is none."""
        return JOBS.find(self.aws, name)

    def stop(self, name: str) -> None:
        """Stop a running job. Raises ValidationException for a job that has ended or never existed."""
        status = self.get(name)["TrainingJobStatus"]
        if status in TERMINAL:
            raise ValidationException(
                f"The request was rejected because the training job is in status {status}"
            )
        JobState(self.aws, name).stopping("Stopping the training job")
        run = self._runs.get(name)
        if run is not None:
            run.stop()

    def delete(self, name: str) -> None:
        """Forget a job that has ended. Raises ResourceInUse for one that runs."""
        job = self.get(name)
        if job["TrainingJobStatus"] not in TERMINAL:
            raise ResourceInUse(
                f"The training job {name} is in status {job['TrainingJobStatus']}; stop it and wait for its "
                "end before deleting it."
            )
        JOBS.delete(self.aws, job)

    def recover(self) -> None:
        """Clean up after a former server: report the jobs it left running as failed."""
        shutil.rmtree(self.aws.root / "training-jobs", ignore_errors=True)
        self.cache.prune()
        for job in JOBS.all(self.aws):
            if job["TrainingJobStatus"] not in TERMINAL:
                JobState(self.aws, job["TrainingJobName"]).end("Failed", "Failed", STOPPED_WITH_SERVER)

    def arn(self, name: str) -> str:
        """The ARN of a training job here; SageMaker writes names in ARNs in lower case."""
        return self.aws.arn(f"training-job/{name.lower()}")


def register(svc: JsonService, jobs: TrainingJobs) -> None:
    """Answer the operations of training jobs."""
    JOBS.register(svc, jobs.aws)

    @svc.operation("CreateTrainingJob")
    def create_training_job(request: Request) -> Response:
        jobs.check(request)
        jobs.create(request)
        return {"TrainingJobArn": jobs.arn(request["TrainingJobName"])}

    @svc.operation("StopTrainingJob")
    def stop_training_job(request: Request) -> Response:
        jobs.stop(request["TrainingJobName"])
        return {}

    @svc.operation("DeleteTrainingJob")
    def delete_training_job(request: Request) -> Response:
        jobs.delete(request["TrainingJobName"])
        return {}
