"""compare-shadow: every quarter of an hour; enough answers of a candidate, or its time is up → a decision."""

from __future__ import annotations

from typing import Any

from contract.environment import ShadowEnvironment
from functions.common import logs
from functions.compare_shadow.compare import compare


@logs.requests_to("compare-shadow")
def handler(payload: object, context: Any) -> dict[str, Any]:
    """Says what was seen and asked, whatever it was invoked with. Failures are raised, to be retried."""
    return compare(ShadowEnvironment.read())
