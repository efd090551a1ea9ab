"""check-drift: once a day; predictions far from those on the test split → a message, and a new search by
setting.
"""

from __future__ import annotations

from typing import Any

from contract.environment import DriftEnvironment
from functions.check_drift.drift import Clients, check
from functions.common import logs
from functions.common.clients import client


def handler(payload: object, context: Any) -> dict[str, Any]:
    """Says what was measured, whatever it was invoked with. Failures are raised, to be retried."""
    logs.start("check-drift", context)
    try:
        services = ("sagemaker", "s3", "ssm", "lambda", "cloudwatch")
        return check(DriftEnvironment.read(), Clients(*(client(service) for service in services)))
    except Exception:
        logs.exception("check-drift failed")
        raise
