"""launch-training: starts trainings.

A tuning job's end starts its last training. A training that AWS had no instance for is started again on the
next type. A person's payload starts a training of its own.
"""

from __future__ import annotations

from typing import Any

from contract.environment import LaunchEnvironment
from functions.common import events, logs
from functions.common.errors import UserError, refused
from functions.launch_training.launch import by_hand
from functions.launch_training.next_type import on_training_failed
from functions.launch_training.outcome import on_tuning_ended


@logs.requests_to("launch-training")
def handler(payload: object, context: Any) -> dict[str, Any]:
    """By hand: 202, or 400/404/409 and nothing started. For an event every failure is raised, to be
    retried.
    """
    event = events.parse(payload)
    env = LaunchEnvironment.read()
    if event is not None and event.kind == events.TRAINING_JOB:
        return on_training_failed(event, env)
    if event is not None:
        return on_tuning_ended(event, env)
    try:
        return by_hand(payload, logs.request_id(context), env)
    except UserError as error:
        return refused(error)
