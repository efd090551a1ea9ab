"""What a function logs, as far as its role may: one without the permissions runs and logs nothing.

ministack writes it, and makes the group again after it was deleted, whatever the role may.
https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html (required IAM permissions)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from ministack.services import cloudwatch_logs, lambda_svc

from local_aws.ministack_adapter.permissions import role_may


def install() -> None:
    """Ask a function's role before its lines are written."""
    lambda_svc._emit_lambda_logs = partial(emit_permitted, lambda_svc._emit_lambda_logs)


def emit_permitted(emit: Callable[..., None], func: dict[str, Any], *arguments: Any, **options: Any) -> None:
    """`_emit_lambda_logs`, for functions whose role may write."""
    if _may_log(func.get("config") or func):
        emit(func, *arguments, **options)


def _may_log(function: Mapping[str, Any]) -> bool:
    name = (function.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{function['FunctionName']}"
    group, role = cloudwatch_logs._make_group_arn(name).removesuffix(":*"), function["Role"]
    stream = f"{group}:log-stream:any"
    exists = name in cloudwatch_logs._log_groups or any(
        role_may(role, "logs:CreateLogGroup", each) for each in (group, f"{group}:*")
    )
    return exists and all(
        role_may(role, action, stream) for action in ("logs:CreateLogStream", "logs:PutLogEvents")
    )
