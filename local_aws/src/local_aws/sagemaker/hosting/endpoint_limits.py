"""The quotas of instances, and of serverless endpoints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from local_aws.core.context import LocalAws
from local_aws.quotas import names
from local_aws.sagemaker import limits
from local_aws.sagemaker.hosting.endpoint_records import ENDPOINTS, in_use, serverless, serverless_in_use
from local_aws.sagemaker.serving.plans import VariantPlan


def check(aws: LocalAws, more: Counter[str], of_one: int) -> None:
    """ResourceLimitExceeded if so many more instances are more than the account's endpoints may have.

    Args:
        more: instances by type. An update asks for its whole new fleet, which runs beside the old one.
        of_one: how many the endpoint would have.
    """
    used: Counter[str] = Counter()
    for record in ENDPOINTS.all(aws):
        used += in_use(record)
    limits.check(aws, names.ONE_ENDPOINT, 0, of_one)
    for instance_type, count in more.items():
        limits.check(aws, names.endpoint(instance_type), used[instance_type], count)
    limits.check(aws, names.ALL_ENDPOINTS, used.total(), more.total())


def check_serverless(aws: LocalAws, endpoint: str, plans: Sequence[VariantPlan]) -> None:
    """ResourceLimitExceeded if the account may not have the endpoint so, where it is to be serverless.

    AWS's sentence of the memory stands in many public threads; the units of the two others are guessed.
    CreateEndpoint and UpdateEndpoint keep to all three.
    """
    count, requests = serverless(plans)
    used, own = [0, 0], (0, 0)
    for record in ENDPOINTS.all(aws):
        has = serverless_in_use(record)
        used = [before + more for before, more in zip(used, has, strict=True)]
        if record["EndpointName"] == endpoint:
            own = has
    for plan in plans:
        if plan.serverless is not None:
            limits.check(aws, names.SERVERLESS_MEMORY, 0, plan.serverless.memory_mb, "MBs")
    limits.check(aws, names.SERVERLESS_ENDPOINTS, used[0], count - own[0], "Endpoints")
    limits.check(aws, names.SERVERLESS_CONCURRENCY, used[1], requests - own[1], "Requests")
