"""The stored kinds of this room, their keys, and paging, which all of its Describe operations share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from local_aws.core.errors import AwsError
from local_aws.core.paging import page

TARGET = "scalable-target"
POLICY = "scaling-policy"
ACTIVITY = "scaling-activity"
_PAGE = 50
_IDENTITY = ("ServiceNamespace", "ResourceId", "ScalableDimension")


def identity(request: Mapping[str, Any]) -> dict[str, Any]:
    """What names the target of a request, a policy or an activity."""
    return {member: request[member] for member in _IDENTITY}


def key(request: Mapping[str, Any]) -> str:
    """The key of the target which a request, a policy or an activity names."""
    return "|".join(identity(request).values())


def not_found(what: str, request: Mapping[str, Any]) -> AwsError:
    """Application Auto Scaling's answer for something that does not exist."""
    name = f" {request['PolicyName']}" if "PolicyName" in request else ""
    return AwsError(
        "ObjectNotFoundException",
        f"No {what}{name} found for service namespace: {request['ServiceNamespace']}, resource ID: "
        f"{request['ResourceId']}, scalable dimension: {request['ScalableDimension']}",
    )


def answer_page(member: str, records: Iterable[dict[str, Any]], request: Mapping[str, Any]) -> dict[str, Any]:
    """The page of those records which are of the request's target, as far as it names one.

    Raises InvalidNextTokenException.
    """
    wanted = {name: request[name] for name in _IDENTITY if name in request}
    found = [record for record in records if wanted.items() <= identity(record).items()]
    message = f"The next token {request.get('NextToken')!r} is not one this operation answered."
    return page(member, found, request, _PAGE, AwsError("InvalidNextTokenException", message))
