"""What CreateEndpoint and UpdateEndpoint refuse: beyond the quotas, or because of what the endpoint is now.

The sizes of a canary are `deployment`'s business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from local_aws.autoscaling import targets
from local_aws.autoscaling.records import TARGET, key
from local_aws.core.context import LocalAws
from local_aws.core.errors import ValidationException
from local_aws.quotas import book, names
from local_aws.sagemaker.hosting.endpoint_records import (
    ENDPOINTS,
    by_type,
    in_use,
    instances,
    plans_of,
    serverless,
    serverless_in_use,
    within_limit,
    without_shadows,
)
from local_aws.sagemaker.serving.plans import VariantPlan


def check_fleet(aws: LocalAws, endpoint: str, plans: Sequence[VariantPlan]) -> None:
    """ResourceLimitExceeded if the account or this machine has no room for a new fleet of the endpoint."""
    check_instances(aws, by_type(plans), by_type(plans).total())
    check_serverless(aws, endpoint, plans)
    within_limit(aws, plans[0].instance_type, instances(plans))


def check_instances(aws: LocalAws, more: Counter[str], of_one: int) -> None:
    """ResourceLimitExceeded if so many more instances are more than the account's endpoints may have.

    Args:
        more: instances by type. An update asks for its whole new fleet, which runs beside the old one.
        of_one: how many the endpoint would have.
    """
    used: Counter[str] = Counter()
    for record in ENDPOINTS.all(aws):
        used += in_use(record)
    book.check(aws.store, names.ONE_ENDPOINT, 0, of_one)
    for instance_type, count in more.items():
        book.check(aws.store, names.endpoint(instance_type), used[instance_type], count)
    book.check(aws.store, names.ALL_ENDPOINTS, used.total(), more.total())


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
            book.check(aws.store, names.SERVERLESS_MEMORY, 0, plan.serverless.memory_mb, "MBs")
    book.check(aws.store, names.SERVERLESS_ENDPOINTS, used[0], count - own[0], "Endpoints")
    book.check(aws.store, names.SERVERLESS_CONCURRENCY, used[1], requests - own[1], "Requests")


def check_update(
    aws: LocalAws,
    record: Mapping[str, Any],
    plans: Sequence[VariantPlan],
    deployment_config: Mapping[str, Any] | None,
) -> None:
    """ValidationException if the stored endpoint may not become what `plans` describe."""
    running = plans_of(record)
    _check_kind(record, running, plans)
    _check_scaled(aws, record["EndpointName"], running, plans)
    if deployment_config:
        _check_names(running, plans)


def _check_kind(
    record: Mapping[str, Any], running: Sequence[VariantPlan], plans: Sequence[VariantPlan]
) -> None:
    """AWS takes a serverless endpoint to instances and never the other way.
    https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-create-endpoint.html
    """
    now_instances = any(plan.serverless is None for plan in running)
    if now_instances and any(plan.serverless is not None for plan in plans):
        raise ValidationException(
            f"Cannot convert the instance-based endpoint {record['EndpointArn']} to a serverless one; delete"
            " it first, or give the serverless one another name."
        )


def _check_scaled(
    aws: LocalAws, endpoint: str, running: Sequence[VariantPlan], plans: Sequence[VariantPlan]
) -> None:
    """What auto scaling looks after keeps its instance type, and stays.

    "If the update would change the instance type for any model that is a target for auto scaling, the update
    fails"; the same holds for "removing a production variant that has auto scaling configured".
    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-update.html
    """
    wanted = {plan.name: plan.instance_type for plan in plans}
    refused = [
        plan.name
        for plan in running
        if wanted.get(plan.name) != plan.instance_type
        and aws.store.get(TARGET, key(targets.of_variant(endpoint, plan.name))) is not None
    ]
    if refused:
        raise ValidationException(
            f'The variant(s) "[{", ".join(refused)}]" must be deregistered as scalable targets with AWS Auto '
            "Scaling before they can be removed or have their instance type updated."
        )


def _check_names(running: Sequence[VariantPlan], plans: Sequence[VariantPlan]) -> None:
    """ "Your new endpoint configuration must have the same variant name as the old endpoint configuration".
    https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-exclusions.html

    Taken here for the variants that answer clients: AWS's own shadow tests add a shadow to "an existing
    endpoint with only a production variant".
    https://docs.aws.amazon.com/sagemaker/latest/dg/shadow-tests-create.html
    """
    before, after = ({plan.name for plan in without_shadows(each)} for each in (running, plans))
    if before != after:
        raise ValidationException(
            "A deployment configuration needs an endpoint configuration with the same variant names: the "
            f"endpoint has {', '.join(sorted(before))}, the new one {', '.join(sorted(after))}."
        )
