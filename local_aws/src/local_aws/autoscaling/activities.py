"""Scaling activities: what auto scaling did, why, and what came of it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from local_aws.autoscaling.records import ACTIVITY, answer_page, key
from local_aws.core.api import JsonService, Request, Response
from local_aws.core.context import LocalAws
from local_aws.core.store import Store

# AWS keeps activities for six weeks; here the newest of each target are kept.
KEPT = 100


def register(svc: JsonService, aws: LocalAws) -> None:
    """Answer DescribeScalingActivities."""

    @svc.operation("DescribeScalingActivities")
    def describe(request: Request) -> Response:
        found = [
            record
            for record in reversed(aws.store.list(ACTIVITY))
            if all(
                record[member] == request.get(member, record[member])
                for member in ("ServiceNamespace", "ResourceId", "ScalableDimension")
            )
        ]
        return answer_page("ScalingActivities", found, request)


def begin(
    store: Store, target: Mapping[str, Any], capacity: int, cause: str, now: datetime
) -> dict[str, Any]:
    """Write down that a target is on its way to `capacity`."""
    record = {
        **{member: target[member] for member in ("ServiceNamespace", "ResourceId", "ScalableDimension")},
        "ActivityId": str(uuid.uuid4()),
        "Description": f"Setting desired instance count to {capacity}.",
        "Cause": cause,
        "StartTime": now,
        "StatusCode": "InProgress",
        "StatusMessage": f"Successfully set desired instance count to {capacity}. Waiting for change to be "
        "fulfilled "
        "by sagemaker.",
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
    success = (
        f"Successfully set desired instance count to {capacity}. Change successfully fulfilled by sagemaker."
    )
    ended = {
        **activity,
        "EndTime": now,
        "StatusCode": "Failed" if failure else "Successful",
        "StatusMessage": f"Failed to set desired instance count to {capacity}. Reason: {failure}"
        if failure
        else success,
    }
    store.put(ACTIVITY, activity["ActivityId"], ended)


def in_progress(store: Store, target: Mapping[str, Any]) -> dict[str, Any] | None:
    """The target's activity that has not ended, if there is one."""
    for activity in store.list(ACTIVITY):
        if activity["StatusCode"] == "InProgress" and key(activity) == key(target):
            return activity
    return None
