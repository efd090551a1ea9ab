"""feedback: answers POST /feedback behind API Gateway, `{"request_id": "…", "class": "Beagle"}`.

`"class": null` says that the picture shows none of the classes. Said again, it replaces what was said before.
"""

from __future__ import annotations

import json
from typing import Any

from contract.environment import FeedbackEnvironment
from functions.common import rest
from functions.common.rest import Answer, ApiError, Event
from functions.feedback import record


def handler(event: dict[str, Any], context: Any) -> Answer:
    """API Gateway's proxy answer: 200, or an error with code, message and the request's id."""
    return rest.served("feedback", FeedbackEnvironment, _respond, event, context)


def _respond(event: Event, request_id: str, env: FeedbackEnvironment) -> Answer:
    if rest.route(event) != "POST /feedback":
        raise ApiError(404, "NotFound", f"There is no {rest.route(event)} here, but POST /feedback.")
    said = record.read(event)
    agrees = record.keep(said, env.given_bucket)
    answer = {"request_id": said.request_id, "class": said.label, "agrees": agrees}
    return rest.ok(json.dumps(answer, ensure_ascii=False))
