"""promote-model: an approval, the Serving stack's end of an update, a request, or nothing at all → champion
and endpoint agree.

Invoke it with `{}` at any time to have them compared, or with `{"action": "sleep" | "wake" | "rollback" |
"retry"}`.
"""

from __future__ import annotations

from typing import Any

from contract.environment import PromoteEnvironment
from functions.common import answers, events, logs
from functions.common.clients import client
from functions.common.errors import UserError
from functions.promote_model import actions
from functions.promote_model.actions import Clients
from functions.promote_model.promote import promote, reconcile


def handler(payload: object, context: Any) -> dict[str, Any]:
    """Says what was done. A request that cannot be met is answered 400 or 409 with nothing changed; every
    other failure is raised, to be retried and then dead-lettered.
    """
    logs.start("promote-model", context)
    try:
        event = events.parse(payload)
        if event is not None:
            logs.bind(event=event.id)
        settings = PromoteEnvironment.read()
        clients = Clients(
            sagemaker=client("sagemaker"),
            ssm=client("ssm"),
            cloudformation=client("cloudformation"),
            quotas=client("service-quotas"),
        )
        return _asked(payload, settings, clients) if event is None else promote(event, settings, clients)
    except Exception:
        logs.exception("promote-model failed")
        raise


def _asked(payload: object, settings: PromoteEnvironment, clients: Clients) -> dict[str, Any]:
    try:
        request = actions.parse(payload)
        said = {} if request is None else {"action": actions.decide(request, settings, clients)}
    except UserError as error:
        logs.info("refused", code=error.code, reason=str(error))
        return answers.refused(error)
    return {"statusCode": 200, **said, **reconcile(None, settings, clients)}
