"""The stored kinds of this room, their keys, and paging, which all of its Describe operations share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from local_aws.core.errors import AwsError

TARGET = "scalable-target"
POLICY = "scaling-policy"
ACTIVITY = "scaling-activity"
_PAGE = 50


def key(request: Mapping[str, Any]) -> str:
    """The key of the target which a request, a policy or an activity names."""
    return "|".join(request[member] for member in ("ServiceNamespace", "ResourceId", "ScalableDimension"))


def not_found(what: str, request: Mapping[str, Any]) -> AwsError:
    """Application Auto Scaling's answer for something that does not exist."""
    name = f" {request['PolicyName']}" if "PolicyName" in request else ""
    return AwsError(
        "ObjectNotFoundException",
        f"No {what}{name} found for service namespace: {request['ServiceNamespace']}, resource ID: "
        f"{request['ResourceId']}, scalable dimension: {request['ScalableDimension']}",
    )


def answer_page(member: str, found: Sequence[dict[str, Any]], request: Mapping[str, Any]) -> dict[str, Any]:
    """The page of `found` the request asks for. Raises InvalidNextTokenException."""
    token = request.get("NextToken", "0")
    if not token.isdecimal():
        raise AwsError(
            "InvalidNextTokenException", f"The next token {token!r} is not one this operation answered."
        )
    start, size = int(token), request.get("MaxResults", _PAGE)
    page: dict[str, Any] = {member: list(found[start : start + size])}
    if start + size < len(found):
        page["NextToken"] = str(start + size)
    return page
