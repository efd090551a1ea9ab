"""launch-training: a tuning job's end → its last training; a training that AWS had no instance for → the same
on the next type; or a person's payload → a training of its own.
"""

from __future__ import annotations

from typing import Any

from contract.environment import LaunchEnvironment
from functions.common import answers, events, logs
from functions.common.clients import client
from functions.common.errors import UserError
from functions.launch_training.launch import by_hand
from functions.launch_training.next_type import on_training_failed
from functions.launch_training.outcome import on_tuning_ended


def handler(payload: object, context: Any) -> dict[str, Any]:
    """By hand: 202, or 400/404/409 and nothing started. For an event every failure is raised, to be
    retried.
    """
    request_id = logs.start("launch-training", context)
    event = events.parse(payload)
    settings = LaunchEnvironment.read()
    services = client("sagemaker"), client("s3"), client("ssm")
    try:
        if event is not None and event.kind == events.TRAINING_JOB:
            return on_training_failed(event, settings, *services[:2])
        if event is not None:
            return on_tuning_ended(event, settings, *services)
        return by_hand(payload, request_id, settings, *services)
    except UserError as error:
        if event is not None:
            logs.exception("the training could not be started")
            raise
        logs.info("refused", code=error.code, reason=str(error))
        return answers.refused(error)
    except Exception:
        logs.exception("launch-training failed")
        raise
