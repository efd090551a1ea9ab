"""classify: answers POST /classify, GET /model, /classes, /openapi.json and / behind API Gateway.

Whatever goes wrong is answered as JSON with a code and a message, never as a bare error.
"""

from __future__ import annotations

from typing import Any

from contract.environment import ClassifyEnvironment
from functions.classify import classes, endpoint, giving, marks, model, openapi, page, picture
from functions.common import rest
from functions.common.rest import Answer, ApiError, Event


def handler(event: dict[str, Any], context: Any) -> Answer:
    """API Gateway's proxy answer: 200, or an error with code, message and the request's id."""
    return rest.served("classify", ClassifyEnvironment, _respond, event, context)


def _respond(event: Event, request_id: str, env: ClassifyEnvironment) -> Answer:
    match rest.route(event):
        case "POST /classify":
            return rest.ok(_classify(event, request_id, env))
        case "GET /model":
            return rest.ok(model.as_json(env))
        case "GET /classes":
            return rest.ok(classes.as_json(env))
        case "GET /openapi.json":
            return rest.ok(openapi.text(event, env))
        case "GET /":
            html = page.html(env.max_image_bytes, env.given_days)
            headers = {"Content-Security-Policy": page.policy(html), "Referrer-Policy": "no-referrer"}
            return rest.ok(html, "text/html; charset=utf-8", **headers)
        case other:
            raise ApiError(
                404,
                "NotFound",
                f"There is no {other} here, but POST /classify, GET /model, GET /classes, GET /openapi.json "
                "and GET /.",
            )


def _classify(event: Event, request_id: str, env: ClassifyEnvironment) -> str:
    asked = picture.picture(event, env.max_image_bytes)
    gift = giving.of(event, asked, env)
    answer = endpoint.classify(env, gift.asked if gift else asked, request_id)
    marks.count(answer, env.project)
    return gift.keep(request_id, answer) if gift else answer
