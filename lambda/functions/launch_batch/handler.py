"""launch-batch: `{"source", …}` → a running job that answers all pictures below an S3 address."""

from __future__ import annotations

from typing import Any

from contract.environment import BatchEnvironment
from functions.common import logs
from functions.common.errors import UserError, refused
from functions.launch_batch.launch import launch


@logs.requests_to("launch-batch")
def handler(payload: object, context: Any) -> dict[str, Any]:
    """202 with the job's name, or 400/404/409 with what is wrong and nothing started."""
    try:
        return launch(payload, logs.request_id(context), BatchEnvironment.read())
    except UserError as error:
        return refused(error)
