"""idle-guard: every five minutes; an endpoint without a request for N minutes → asleep."""

from __future__ import annotations

from typing import Any

from contract.environment import IdleGuardEnvironment
from functions.common import logs
from functions.common.clients import client
from functions.idle_guard.guard import Clients, guard


def handler(payload: object, context: Any) -> dict[str, Any]:
    """Says what was seen and done, whatever it was invoked with. Failures are raised, to be retried."""
    logs.start("idle-guard", context)
    try:
        services = ("sagemaker", "cloudwatch", "ssm", "lambda")
        return guard(IdleGuardEnvironment.read(), Clients(*(client(service) for service in services)))
    except Exception:
        logs.exception("idle-guard failed")
        raise
