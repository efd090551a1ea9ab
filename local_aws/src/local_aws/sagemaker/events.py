"""State-change events as SageMaker sends them.

The detail is the answer of the resource's own Describe operation: members without a value are there as
null, times are milliseconds since the epoch, and tags are a map.
https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from local_aws.core.context import LocalAws
from local_aws.core.wire import model_of
from local_aws.sagemaker import tags


def state_change(aws: LocalAws, what: str, describe: str, document: dict[str, Any], arn: str) -> None:
    """Tell the event bus that a resource has a new status.

    Args:
        what: e.g. ``Training Job``; the detail type becomes ``SageMaker Training Job State Change``.
        describe: the Describe operation whose answer the detail repeats.
    """
    members = {name: _plain(document.get(name)) for name in _members(describe)}
    detail = {**members, "Tags": {tag["Key"]: tag["Value"] for tag in tags.of(aws, arn)}}
    aws.emit(f"SageMaker {what} State Change", detail, [arn])


@cache
def _members(operation: str) -> tuple[str, ...]:
    return tuple(model_of("sagemaker").operation_model(operation).output_shape.members)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if not key.startswith("_")}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
