"""register-model: a training job's end → a judged version in the registry."""

from __future__ import annotations

from typing import Any

from contract.environment import RegisterEnvironment
from functions.common import events, logs
from functions.register_model.register import on_training_ended


@logs.requests_to("register-model")
def handler(payload: object, context: Any) -> dict[str, Any]:
    """Says what was done. Every failure is raised, to be retried and then dead-lettered."""
    event = events.parse(payload)
    if event is None or event.kind != events.TRAINING_JOB:
        return events.ignored(f'this function takes events of the type "{events.TRAINING_JOB}"')
    return on_training_ended(event, RegisterEnvironment.read())
