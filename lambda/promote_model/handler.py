"""promote-model: an approval, the Serving stack's end of an update, or nothing at all → champion and
endpoint agree.

Invoke it with `{}` at any time to have them compared.
"""

from __future__ import annotations

from typing import Any

from common import events, logs
from common.clients import client
from common.environment import PromoteSettings, read
from promote_model.promote import Clients, promote


def handler(payload: object, context: Any) -> dict[str, Any]:
    """Says what was done. Every failure is raised, to be retried and then dead-lettered."""
    logs.start("promote-model", context)
    try:
        event = events.parse(payload)
        if event is not None:
            logs.bind(event=event.id)
        clients = Clients(
            sagemaker=client("sagemaker"), ssm=client("ssm"), cloudformation=client("cloudformation")
        )
        return promote(event, read(PromoteSettings), clients)
    except Exception:
        logs.exception("promote-model failed")
        raise
