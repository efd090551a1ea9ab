"""Scaling activities: what auto scaling did, why, and what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from local_aws.autoscaling.records import ACTIVITY, answer_page, identity, key
from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.store import Store

# AWS keeps activities for six weeks; here the newest of each target are kept.
KEPT = 100


def register(svc: JsonService, aws: LocalAws) -> None:
    """Answer DescribeScalingActivities."""

    @svc.operation("DescribeScalingActivities")
    def describe(request: Request) -> Response:
        return answer_page("ScalingActivities", reversed(aws.store.list(ACTIVITY)), request)


def begin(
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
    for old in mine[:-KEPT]:
        store.delete(ACTIVITY, old)
    return record


def finish(store: Store, activity: Mapping[str, Any], now: datetime, failure: str = "") -> None:
    """Write down how an activity ended; `failure` is empty when it succeeded."""
    capacity = activity["Capacity"]
    status, done = "Successful", f"Successfully set desired instance count to {capacity}."
    message = f"{done} Change successfully fulfilled by sagemaker."
    if failure:
        status, message = "Failed", f"Failed to set desired instance count to {capacity}. Reason: {failure}"
    ended = {"EndTime": now, "StatusCode": status, "StatusMessage": message}
    store.put(ACTIVITY, activity["ActivityId"], {**activity, **ended})


def in_progress(store: Store, target: Mapping[str, Any]) -> dict[str, Any] | None:
    """The target's activity that has not ended, if there is one."""
    for activity in store.list(ACTIVITY):
        if activity["StatusCode"] == "InProgress" and key(activity) == key(target):
            return activity
    return None
