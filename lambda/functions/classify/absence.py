"""Why there is no endpoint: no model yet, one that sleeps and is woken by this request, or one on its way."""

from __future__ import annotations

import json
import time

from contract.environment import ClassifyEnvironment
from contract.names import NO_CHAMPION
from functions.classify.api_error import asleep, no_model_yet, starting
from functions.common import champion, logs
from functions.common.clients import client
from functions.common.rest import ApiError

WAKE_PAUSE = 15.0
"""Seconds between two calls for the same sleeper: the first is enough, and clients repeat their requests."""

_woken: float | None = None


def why_absent(env: ClassifyEnvironment, *, wake: bool) -> ApiError:
    """The error for a request that finds no endpoint.

    Args:
        wake: whether the request is one for the model, which wakes it if it sleeps.
    """
    decision = champion.current(env.champion_parameter)
    if decision.asleep:
        if wake:
            _wake(env, decision.model)
        return asleep(waking=wake)
    return no_model_yet() if decision.model == NO_CHAMPION else starting()


def _wake(env: ClassifyEnvironment, model: str) -> None:
    """Ask promote-model to wake it; it does nothing when it is awake or waking already."""
    global _woken
    if _woken is not None and time.monotonic() - _woken < WAKE_PAUSE:
        return
    request = {"action": "wake", "why": "a request came", "model": model}
    client("lambda").invoke(
        FunctionName=env.promote_function, InvocationType="Event", Payload=json.dumps(request).encode()
    )
    _woken = time.monotonic()
    logs.info("woken", champion=model)
