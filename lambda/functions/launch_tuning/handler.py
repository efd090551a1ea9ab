"""launch-tuning: `{"recipe", "dataset", overrides…}` → a running tuning job."""

from __future__ import annotations

from typing import Any

from contract.environment import LaunchEnvironment
from functions.common import answers, logs
from functions.common.clients import client
from functions.common.errors import UserError
from functions.launch_tuning.launch import launch


def handler(payload: object, context: Any) -> dict[str, Any]:
    """202 with the job's name, or 400/404/409 with what is wrong and nothing started."""
    request_id = logs.start("launch-tuning", context)
    try:
        return launch(payload, request_id, LaunchEnvironment.read(), client("sagemaker"), client("s3"))
    except UserError as error:
        logs.info("refused", code=error.code, reason=str(error))
        return answers.refused(error)
    except Exception:
        logs.exception("launch-tuning failed")
        raise
