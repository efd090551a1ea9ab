"""check-drift: once a day; predictions far from those on the test split → a message, and by setting
launch-retraining is asked for a new search.
"""

from __future__ import annotations

from typing import Any

from contract.environment import DriftEnvironment
from functions.check_drift.drift import check
from functions.common import logs


@logs.requests_to("check-drift")
def handler(payload: object, context: Any) -> dict[str, Any]:
    """Says what was measured, whatever it was invoked with. Failures are raised, to be retried."""
    return check(DriftEnvironment.read())
