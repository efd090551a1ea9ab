"""classify: answers POST /classify, GET /model and GET / behind API Gateway.

Whatever goes wrong is answered as JSON with a code and a message, never as a bare error.
"""

from __future__ import annotations

import time
from typing import Any

from contract.environment import ClassifyEnvironment
from functions.classify import endpoint, marks, model, page, proxy
from functions.classify.api_error import ApiError
from functions.common import logs


def handler(event: dict[str, Any], context: Any) -> proxy.Answer:
    """API Gateway's proxy answer: 200, or an error with code, message and the request's id."""
    logs.start("classify", context)
    event = event if isinstance(event, dict) else {}  # API Gateway sends an object; a direct call may not
    request_id = proxy.request_id(event, logs.request_id(context))
    logs.bind(apiRequestId=request_id, route=proxy.route(event))
    began = time.monotonic()
    origin = ""
    try:
        env = ClassifyEnvironment.read()
        origin = env.allowed_origin
        answer = _route(event, env, request_id)
    except ApiError as error:
        logs.info("refused", code=error.code, reason=error.message)
        answer = proxy.refused(error, request_id)
    except Exception:
        logs.exception("classify failed")
        text = "Something is wrong on our side. Try again; if it stays, tell us the request id."
        answer = proxy.refused(ApiError(500, "InternalError", text), request_id)
    if origin:
        answer["headers"]["Access-Control-Allow-Origin"] = origin
    logs.info("answered", status=answer["statusCode"], seconds=round(time.monotonic() - began, 4))
    return answer


def _route(event: dict[str, Any], env: ClassifyEnvironment, request_id: str) -> proxy.Answer:
    match proxy.route(event):
        case "POST /classify":
            picture = proxy.picture(event, env.max_image_bytes)
            answer = endpoint.classify(env, picture, request_id)
            marks.count(answer, env.project)
            return proxy.ok(answer)
        case "GET /model":
            return proxy.ok(model.as_json(env))
        case "GET /":
            html = page.html(env.max_image_bytes)
            headers = {"Content-Security-Policy": page.policy(html), "Referrer-Policy": "no-referrer"}
            return proxy.ok(html, "text/html; charset=utf-8", **headers)
        case other:
            raise ApiError(
                404, "NotFound", f"There is no {other} here, but POST /classify, GET /model and GET /."
            )
