"""launch-doctor: `{"dataset", …}` → a running job that says what is wrong with the data set's pictures."""

from __future__ import annotations

from typing import Any

from contract.environment import LaunchEnvironment
from functions.common import logs
from functions.common.errors import UserError, refused
from functions.launch_doctor.launch import launch


@logs.requests_to("launch-doctor")
def handler(payload: object, context: Any) -> dict[str, Any]:
    """202 with the job's name, or 400/404/409 with what is wrong and nothing started."""
    try:
        return launch(payload, logs.request_id(context), LaunchEnvironment.read())
    except UserError as error:
        return refused(error)
