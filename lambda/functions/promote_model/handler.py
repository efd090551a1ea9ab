"""promote-model: an approval, the Serving stack's end of an update, a request, or nothing at all → champion
and endpoint agree.

Invoke it with `{}` at any time to have them compared, or with `{"action": "sleep" | "wake" | "rollback" |
"retry" | "trust" | "distrust"}`.
"""

from __future__ import annotations

from typing import Any

from contract.environment import PromoteEnvironment
from functions.common import events, logs
from functions.common.errors import UserError, refused
from functions.promote_model import actions, shadow
from functions.promote_model.promote import promote, reconcile


@logs.requests_to("promote-model")
def handler(payload: object, context: Any) -> dict[str, Any]:
    """Says what was done. A request that cannot be met is answered 400 or 409 with nothing changed; every
    other failure is raised, to be retried and then dead-lettered.
    """
    event = events.parse(payload)
    env = PromoteEnvironment.read()
    if event is None:
        return _answered(payload, env)
    logs.bind(event=event.id)
    return promote(event, env)


def _answered(payload: object, env: PromoteEnvironment) -> dict[str, Any]:
    try:
        request = actions.parse(payload)
        decided = {} if request is None else {"action": _decide(request, env)}
    except UserError as error:
        return refused(error)
    return {"statusCode": 200, **decided, **reconcile(None, env)}


def _decide(request: actions.Request, env: PromoteEnvironment) -> str:
    if request.action in (actions.TRUST, actions.DISTRUST):
        return shadow.decide(request, env)
    return actions.decide(request, env)
