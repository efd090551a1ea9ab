"""SageMaker on one machine: training and tuning jobs, models, endpoints, the model registry, tags.

`service` is the whole room in a few lines: it makes the service, lets each file answer its operations, and
brings the former server's leftovers in order.
"""

from __future__ import annotations

from local_aws.core import process
from local_aws.core.api import JsonService
from local_aws.core.context import LocalAws
from local_aws.sagemaker import hosting, tags, training, tuning
from local_aws.sagemaker.training import TrainingJobs
from local_aws.sagemaker.tuning import TuningJobs


def service(aws: LocalAws) -> JsonService:
    """SageMaker's API over the state of ``aws``."""
    process.begin(aws.root / "processes")
    svc = hosting.service(aws)
    training_jobs = TrainingJobs(aws)
    tuning_jobs = TuningJobs(aws, training_jobs)
    tags.register(svc, aws)
    training.register(svc, training_jobs)
    tuning.register(svc, tuning_jobs)
    svc.at_start(training_jobs.recover)
    svc.at_start(tuning_jobs.recover)
    return svc
