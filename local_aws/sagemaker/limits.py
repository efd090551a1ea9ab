"""The account's quotas, kept to: what jobs, or endpoints, have at a time.

Whoever starts instances asks here first, in the transaction that writes down what is started, so that two
callers cannot both take the last one. AWS's sentence, with its numbers, is quoted in many public threads:
https://github.com/aws/amazon-sagemaker-examples/issues/593
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from local_aws.core.context import LocalAws
from local_aws.core.errors import ResourceLimitExceeded
from local_aws.quotas import book, names
from local_aws.sagemaker import capacity, endpoint_records, job_state
from local_aws.sagemaker.endpoint_configs import VariantPlan

_OVER = ("Completed", "Failed", "Stopped")


def check_training(aws: LocalAws, definition: Mapping[str, Any], together: int = 1) -> None:
    """ResourceLimitExceeded if so many jobs of a definition at a time are more than the account may have.

    A tuning job is refused for what its parallel trials need together: "... with current utilization of 0
    Instances and a request delta of 2 Instances", says CreateHyperParameterTuningJob.
    """
    spot = definition.get("EnableManagedSpotTraining", False)
    asked = _instances(definition)
    used: Counter[str] = Counter()
    for job in aws.store.list(job_state.KIND):
        if job["TrainingJobStatus"] not in _OVER and job.get("EnableManagedSpotTraining", False) == spot:
            used += _instances(job)
    each = names.ONE_SPOT_TRAINING if spot else names.ONE_TRAINING
    _check(aws, each, 0, asked.total())
    for instance_type, count in asked.items():
        _check(aws, names.training(instance_type, spot), used[instance_type], count * together)
    every = names.ALL_SPOT_TRAINING if spot else names.ALL_TRAINING
    _check(aws, every, used.total(), asked.total() * together)


def check_trials(aws: LocalAws, parallel: int) -> None:
    """ResourceLimitExceeded if a search may not have so many trials at a time.

    10 by default, and 100 at most:
    https://docs.aws.amazon.com/sagemaker/latest/dg/automatic-model-tuning-limits.html
    """
    most = int(book.value(aws.store, names.SAGEMAKER, names.PARALLEL_TRIALS))
    if parallel > most:
        raise ResourceLimitExceeded(
            f"The account-level service limit '{names.PARALLEL_TRIALS}' is {most}; MaxParallelTrainingJobs "
            f"is {parallel}. Please use AWS Service Quotas to request an increase for this quota."
        )


def check_hosting(aws: LocalAws, more: Counter[str], of_one: int) -> None:
    """ResourceLimitExceeded if so many more instances are more than the account's endpoints may have.

    Args:
        more: instances by type. An update asks for its whole new fleet, which runs beside the old one.
        of_one: how many the endpoint would have.
    """
    used: Counter[str] = Counter()
    for record in aws.store.list(endpoint_records.KIND):
        used += endpoint_records.in_use(record)
    _check(aws, names.ONE_ENDPOINT, 0, of_one)
    for instance_type, count in more.items():
        _check(aws, names.endpoint(instance_type), used[instance_type], count)
    _check(aws, names.ALL_ENDPOINTS, used.total(), more.total())


def check_serverless(aws: LocalAws, endpoint: str, plans: Sequence[VariantPlan]) -> None:
    """ResourceLimitExceeded if the account may not have the endpoint so, where it is to be serverless.

    AWS's sentence of the memory stands in many public threads; the units of the two others are guessed.
    CreateEndpoint and UpdateEndpoint keep to all three.
    """
    count, requests = endpoint_records.serverless(plans)
    used, own = [0, 0], (0, 0)
    for record in aws.store.list(endpoint_records.KIND):
        has = endpoint_records.serverless_in_use(record)
        used = [before + more for before, more in zip(used, has, strict=True)]
        if record["EndpointName"] == endpoint:
            own = has
    for plan in plans:
        if plan.serverless is not None:
            _check(aws, names.SERVERLESS_MEMORY, 0, plan.serverless.memory_mb, "MBs")
    _check(aws, names.SERVERLESS_ENDPOINTS, used[0], count - own[0], "Endpoints")
    _check(aws, names.SERVERLESS_CONCURRENCY, used[1], requests - own[1], "Requests")


def _instances(definition: Mapping[str, Any]) -> Counter[str]:
    groups = definition.get("ResourceConfig", {}).get("InstanceGroups") or capacity.configs(definition)[:1]
    counted: Counter[str] = Counter()
    for group in groups:
        if "InstanceType" in group:
            counted[group["InstanceType"]] += group.get("InstanceCount", 1)
    return counted


def _check(aws: LocalAws, quota: str, used: int, more: int, unit: str = "Instances") -> None:
    most = int(book.value(aws.store, names.SAGEMAKER, quota))
    if more > 0 and used + more > most:
        raise ResourceLimitExceeded(
            f"The account-level service limit '{quota}' is {most} {unit}, with current utilization of "
            f"{used} {unit} and a request delta of {more} {unit}. Please use AWS Service Quotas to "
            "request an increase for this quota. If AWS Service Quotas is not available, contact AWS support "
            "to request an increase for this quota."
        )
