"""register-model: a training job's end → a judged version in the registry."""

from __future__ import annotations

from typing import Any

from contract.environment import RegisterEnvironment
from functions.common import events, logs
from functions.common.clients import client
from functions.register_model.register import Clients, on_training_ended


def handler(payload: object, context: Any) -> dict[str, Any]:
    """Says what was done. Every failure is raised, to be retried and then dead-lettered."""
    logs.start("register-model", context)
    event = events.parse(payload)
    if event is None or event.kind != events.TRAINING_JOB:
        logs.warning("ignored: not a training job's event")
        return {"ignored": f'this function takes events of the type "{events.TRAINING_JOB}"'}
    try:
        clients = Clients(
            sagemaker=client("sagemaker"), s3=client("s3"), ssm=client("ssm"), ecr=client("ecr")
        )
        return on_training_ended(event, RegisterEnvironment.read(), clients)
    except Exception:
        logs.exception("register-model failed")
        raise
