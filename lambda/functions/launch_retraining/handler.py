"""launch-retraining: every hour and when drift rings; a search is due, and left of the budget → it starts.

By hand: `{}` looks now.
"""

from __future__ import annotations

from typing import Any

from contract.environment import RetrainEnvironment
from contract.retraining import DRIFT
from functions.common import events, logs
from functions.common.errors import UserError, refused
from functions.common.launching import requests
from functions.launch_retraining.retrain import retrain


@logs.requests_to("launch-retraining")
def handler(payload: object, context: Any) -> dict[str, Any]:
    """Says what was seen or started, or 400 with what is wrong. Failures are raised, to be retried."""
    try:
        drift = None if events.parse(payload) else _drift(payload)
    except UserError as error:
        return refused(error)
    return retrain(drift, logs.request_id(context), RetrainEnvironment.read())


def _drift(payload: object) -> float | None:
    """The index that rang; None where nothing did."""
    asked = requests.checked_object(payload or {}, "{}")
    requests.check_keys(asked, (DRIFT,))
    return requests.cause_of(DRIFT, asked[DRIFT]) if DRIFT in asked else None
