"""EventBridge's envelope, as far as the functions look into it.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from functions.common import logs
from functions.common.errors import InvalidPayload
from functions.common.recipes.keys import quoted

TUNING_JOB = "SageMaker HyperParameter Tuning Job State Change"
TRAINING_JOB = "SageMaker Training Job State Change"
MODEL_PACKAGE = "SageMaker Model Package State Change"
ENDPOINT = "SageMaker Endpoint State Change"
STACK_STATUS = "CloudFormation Stack Status Change"


@dataclass(frozen=True)
class Event:
    """One event. AWS may send several for one change, and each of them more than once."""

    id: str
    kind: str
    """The `detail-type`."""
    time: str
    """When it happened, as `2026-11-20T12:00:00Z`: texts of this form sort as times."""
    detail: Mapping[str, Any]

    def name(self, key: str) -> str:
        """A name in the detail.

        Raises:
            InvalidPayload: there is none; AWS's own events always have theirs.
        """
        name = self.text(key)
        if not name:
            raise InvalidPayload(f"the event's detail lacks the name {key}")
        return name

    def text(self, key: str) -> str:
        """A text of the detail, empty when it is missing or something else."""
        value = self.detail.get(key)
        return value if isinstance(value, str) else ""


def parse(payload: object) -> Event | None:
    """The event in a payload, or None when a person invoked the function."""
    if not isinstance(payload, Mapping) or "detail-type" not in payload or "source" not in payload:
        return None
    detail = payload.get("detail")
    return Event(
        id=str(payload.get("id", "")),
        kind=str(payload["detail-type"]),
        time=_utc(payload.get("time")),
        detail=detail if isinstance(detail, Mapping) else {},
    )


def _utc(time: object) -> str:
    """The time in the one form that all times are compared in.

    Raises:
        InvalidPayload: not a time; EventBridge always sends one.
    """
    try:
        parsed = datetime.fromisoformat(str(time))
        utc = parsed.replace(tzinfo=parsed.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError, RecursionError):  # the first and last hours there are have no UTC
        raise InvalidPayload(f"the event's time {quoted(time)} is not an ISO 8601 time") from None
    return utc.strftime("%Y-%m-%dT%H:%M:%SZ")


def ignored(reason: str) -> dict[str, Any]:
    """The answer to an event that asks for nothing."""
    logs.info("ignored", reason=reason)
    return {"ignored": reason}
