"""launch-tuning: `{"recipe", "dataset", overrides…}` → a running tuning job, or the race before it.

A race's end starts the search with the network that won.
"""

from __future__ import annotations

from typing import Any

from contract.environment import LaunchEnvironment
from functions.common import events, logs
from functions.common.errors import UserError, refused
from functions.launch_tuning.launch import launch
from functions.launch_tuning.outcome import on_race_ended


@logs.requests_to("launch-tuning")
def handler(payload: object, context: Any) -> dict[str, Any]:
    """By hand: 202 with the job's name, or 400/404/409 with what is wrong and nothing started. For an event
    every failure is raised, to be retried.
    """
    event, env = events.parse(payload), LaunchEnvironment.read()
    if event is not None:
        return on_race_ended(event, env)
    try:
        return launch(payload, logs.request_id(context), env)
    except UserError as error:
        return refused(error)
