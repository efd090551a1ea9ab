"""The stored kinds of this room, their keys and pages, and what becomes of scaling activities."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from local_aws.core.errors import AwsError
from local_aws.core.paging import page
from local_aws.core.store import Store

TARGET = "scalable-target"
POLICY = "scaling-policy"
ACTIVITY = "scaling-activity"
# AWS keeps activities for six weeks; here the newest of each target are kept.
MAX_ACTIVITIES = 100
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


def begin_activity(
    store: Store, target: Mapping[str, Any], capacity: int, cause: str, now: datetime
) -> dict[str, Any]:
    """Write down that a target is on its way to `capacity`."""
    record = {
        **identity(target),
        "ActivityId": str(uuid.uuid4()),
        "Description": f"Setting desired instance count to {capacity}.",
        "Cause": cause,
        "StartTime": now,
        "StatusCode": "InProgress",
        "StatusMessage": f"Successfully set desired instance count to {capacity}. Waiting for change to be "
        "fulfilled by sagemaker.",
        "Capacity": capacity,
    }
    store.put(ACTIVITY, record["ActivityId"], record)
    mine = [activity["ActivityId"] for activity in store.list(ACTIVITY) if key(activity) == key(target)]
    for old in mine[:-MAX_ACTIVITIES]:
        store.delete(ACTIVITY, old)
    return record


def finish_activity(store: Store, activity: Mapping[str, Any], now: datetime, failure: str = "") -> None:
    """Write down how an activity ended; `failure` is empty when it succeeded."""
    capacity = activity["Capacity"]
    status, done = "Successful", f"Successfully set desired instance count to {capacity}."
    message = f"{done} Change successfully fulfilled by sagemaker."
    if failure:
        status, message = "Failed", f"Failed to set desired instance count to {capacity}. Reason: {failure}"
    ended = {"EndTime": now, "StatusCode": status, "StatusMessage": message}
    store.put(ACTIVITY, activity["ActivityId"], {**activity, **ended})


def activity_in_progress(store: Store, target: Mapping[str, Any]) -> dict[str, Any] | None:
    """The target's activity that has not ended, if there is one."""
    for activity in store.list(ACTIVITY):
        if activity["StatusCode"] == "InProgress" and key(activity) == key(target):
            return activity
    return None
