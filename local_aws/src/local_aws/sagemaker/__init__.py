"""SageMaker on one machine.

`service` is the whole room in a few lines. Its rooms, each knowing only those before it: `registry` (models
and their packages), `serving` (server processes and the router), `hosting` (endpoints), `training`, `tuning`.
"""

from __future__ import annotations

from local_aws.core import process
from local_aws.core.api import JsonService
from local_aws.core.context import LocalAws
from local_aws.sagemaker import hosting, tags
from local_aws.sagemaker.training.jobs import TrainingJobs
from local_aws.sagemaker.training.jobs import register as register_training
from local_aws.sagemaker.tuning.jobs import TuningJobs
from local_aws.sagemaker.tuning.jobs import register as register_tuning


def service(aws: LocalAws) -> JsonService:
    """SageMaker's API over the state of ``aws``."""
    process.begin(aws.root / "processes")
    svc = hosting.service(aws)
    training_jobs = TrainingJobs(aws)
    tuning_jobs = TuningJobs(aws, training_jobs)
    tags.register(svc, aws)
    register_training(svc, training_jobs)
    register_tuning(svc, tuning_jobs)
    svc.at_start(training_jobs.recover)
    svc.at_start(tuning_jobs.recover)
    return svc
