"""On which instance type an endpoint is made: the first of the settings' that the account may have.

An endpoint that is there keeps its type: AWS refuses to change that of one that scales by itself. So this is
asked only when one is made. What the account may have is looked up where the role is allowed to; whether AWS
has one left is known by trying, and those that it had none of are not tried again for the same decision.
The type that is taken is the value of an SSM parameter, which the Serving stack reads like the champion.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from contract.decisions import texts_of
from contract.environment import PromoteEnvironment
from functions.common import logs
from functions.common.clients import client, describe
from functions.common.events import Event

_NOTED_LENGTH = 400
_LISTINGS = ("list_service_quotas", "list_aws_default_service_quotas")
"""What is applied to the account comes first: it counts before the default."""


FAILED = "failed"
"""In the parameter's description: why an endpoint failed on that type, and when."""


def note_failure(event: Event, env: PromoteEnvironment) -> str:
    """Keep why an endpoint failed: CloudFormation removes one that it could not make, and with it the reason.

    It is kept with the instance type, whose parameter nothing but the next endpoint follows.
    """
    name = event.text("EndpointName")
    if not env.instance_type_parameter or name != env.project:
        return "ignored: no endpoint of this project's"
    found = describe(client("sagemaker").describe_endpoint, EndpointName=name) or {}
    reason = event.text("FailureReason") or str(found.get("FailureReason", ""))
    if not reason:
        return "ignored: nobody says why"
    noted = {"at": event.time, FAILED: reason[:_NOTED_LENGTH]}
    _put(env, current(env), noted)
    return "kept"


def failure_since(time: str, env: PromoteEnvironment) -> str:
    """Why the endpoint failed last, if that was at this time or later; else nothing."""
    if not env.instance_type_parameter:
        return ""
    name = env.instance_type_parameter
    pages = client("ssm").get_paginator("get_parameter_history").paginate(Name=name)
    for entry in [each for page in pages for each in page["Parameters"]][::-1]:
        noted = texts_of(entry.get("Description", "")) or {}
        if FAILED in noted:
            return str(noted[FAILED]) if str(noted.get("at", "")) >= time else ""
    return ""


def current(env: PromoteEnvironment) -> str:
    """The type that the next endpoint is made on."""
    return str(client("ssm").get_parameter(Name=env.instance_type_parameter)["Parameter"]["Value"])


def choose(env: PromoteEnvironment, tried: Sequence[str]) -> str | None:
    """Take the first type that was not tried yet and is not known to be beyond the account's quota.

    Returns:
        The type, which is the parameter's value then; None if there is none.
    """
    types = env.instance_types
    quotas = allowed(types)
    left = [
        each for each in types if each not in tried and quotas.get(each, float("inf")) >= env.min_instances
    ]
    if not left:
        return None
    if current(env) != left[0]:
        why = {"passed_over": types[: types.index(left[0])], "quotas": quotas}
        _put(env, left[0], why)
        logs.info("instance type taken", instance_type=left[0], **why)
    return left[0]


def allowed(types: Sequence[str]) -> Mapping[str, float]:
    """How many instances of each type this account's endpoints may have, as far as that can be looked up.

    A quota is found by its name: its code is not the same for two types, and written down nowhere.
    """
    names = {f"{each} for endpoint usage": each for each in types}
    found: dict[str, float] = {}
    try:
        for quota in _listed():
            instance_type = names.get(quota["QuotaName"])
            if instance_type is not None:
                found.setdefault(instance_type, float(quota.get("Value", 0)))
            if len(found) == len(names):
                break
    except ClientError as error:  # not allowed, or too often: then it is known by trying
        logs.info("quotas could not be looked up", why=str(error))
    return found


def _put(env: PromoteEnvironment, instance_type: str, why: Mapping[str, Any]) -> None:
    client("ssm").put_parameter(
        Name=env.instance_type_parameter,
        Value=instance_type,
        Type="String",
        Overwrite=True,
        Description=json.dumps(why),
    )


def _listed() -> Iterator[Mapping[str, Any]]:
    for listing in _LISTINGS:
        for page in client("service-quotas").get_paginator(listing).paginate(ServiceCode="sagemaker"):
            yield from page["Quotas"]
