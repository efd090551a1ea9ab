"""idle-guard: every five minutes; an endpoint without a request for N minutes → asleep."""

from __future__ import annotations

from typing import Any

from contract.environment import IdleGuardEnvironment
from functions.common import logs
from functions.idle_guard.guard import guard


@logs.requests_to("idle-guard")
def handler(payload: object, context: Any) -> dict[str, Any]:
    """Says what was seen and done, whatever it was invoked with. Failures are raised, to be retried."""
    return guard(IdleGuardEnvironment.read())
