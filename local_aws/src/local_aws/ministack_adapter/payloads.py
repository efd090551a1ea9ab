"""What goes through API Gateway and Lambda, how much and for how long, as AWS documents it.

10 MB to an API, 6 MB to a function and back from it (an API's picture is in there as base64), 29 seconds or
what the integration says. ministack bounds none of them.

A body without a content type counts as JSON ("API Gateway defaults to application/json"), so where the API's
binary media types have that, as `*/*` has, its function gets it as base64. ministack takes it for text of no
type, which damages a picture.
https://docs.aws.amazon.com/apigateway/latest/developerguide/integration-passthrough-behaviors.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-execution-service-limits-table.html
https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from ministack.services import apigateway_v1, lambda_svc

from local_aws.core.api import HttpAnswer
from local_aws.ministack_adapter import rules

MAX_API_BODY = 10 * 2**20
# As AWS's own sentence has it: "... maximum allowed payload size (6291556 bytes)".
MAX_RESPONSE = rules.MAX_PAYLOAD + 100
_TOO_LONG = {"message": "Request Too Long"}
_TOO_LONG_BODY = json.dumps(_TOO_LONG).encode()
_JSON = {"Content-Type": "application/json"}
_UNTYPED = "application/json"
"""What a request counts as that names no content type."""
Async = Callable[..., Awaitable[Any]]


def install() -> None:
    """Bound API Gateway's and Lambda's data planes, and hand on what has no type."""
    apigateway_v1.handle_execute = partial(bounded_body, apigateway_v1.handle_execute)
    apigateway_v1._call_lambda_raw = partial(bounded_event, apigateway_v1._call_lambda_raw)
    apigateway_v1._invoke_lambda_proxy_v1 = partial(bounded_time, apigateway_v1._invoke_lambda_proxy_v1)
    apigateway_v1._build_lambda_event_v1 = partial(untyped_body, apigateway_v1._build_lambda_event_v1)
    lambda_svc._execute_function_with_config_scope = partial(
        bounded_response, lambda_svc._execute_function_with_config_scope
    )


async def bounded_body(
    execute: Async, api_id: str, stage: str, method: str, path: str, headers: Any, body: bytes, query: Any
) -> Any:
    """`handle_execute`, which answers 413 to a body that no API takes."""
    if len(body or b"") > MAX_API_BODY:
        answer: HttpAnswer = (413, _JSON, _TOO_LONG_BODY)
        return answer
    return await execute(api_id, stage, method, path, headers, body, query)


def untyped_body(
    build: Callable[..., Any], *request: Any, binary_media_types: Any = None, **named: Any
) -> Any:
    """`_build_lambda_event_v1`, for which a body that names no content type is what it counts as."""
    event = build(*request, binary_media_types=binary_media_types, **named)
    headers, body = request[6:8]
    untyped = body and not str(headers.get("content-type") or "").strip()
    if untyped and apigateway_v1._media_type_matches(_UNTYPED, binary_media_types):
        event |= {"body": base64.b64encode(body).decode(), "isBase64Encoded": True}
    return event


async def bounded_event(call: Async, function: Any, event: Any, **scope: Any) -> Any:
    """`_call_lambda_raw`, which answers 413 for an event that no function takes."""
    body = event.get("body") if isinstance(event, dict) else None
    if isinstance(body, str) and len(body) > rules.MAX_PAYLOAD:
        refusal = {"statusCode": 413, "headers": _JSON, "body": json.dumps(_TOO_LONG)}
        return {"body": refusal}, None
    return await call(function, event, **scope)


async def bounded_time(invoke: Async, integration: Any, *rest: Any, **named: Any) -> Any:
    """`_invoke_lambda_proxy_v1`, which waits as long as the integration says; the function goes on."""
    milliseconds = int(integration.get("timeoutInMillis") or rules.INTEGRATION_MILLISECONDS[1])
    task = asyncio.ensure_future(invoke(integration, *rest, **named))
    done, _ = await asyncio.wait({task}, timeout=milliseconds / 1000)
    if done and task.result()[-1] == _TOO_LONG_BODY:
        return apigateway_v1._gw_error("REQUEST_TOO_LARGE", _TOO_LONG["message"])  # as the API answers that
    if done:
        return task.result()
    return apigateway_v1._gw_error("INTEGRATION_TIMEOUT", "Endpoint request timed out")


def bounded_response(execute: Callable[..., Any], function: Any, event: Any) -> Any:
    """`_execute_function_with_config_scope`, in which a function fails that returns too much."""
    result = execute(function, event)
    if not result.get("error") and _size(result.get("body")) > MAX_RESPONSE:
        error = {
            "errorMessage": "Response payload size exceeded maximum allowed payload size "
            f"({MAX_RESPONSE} bytes).",
            "errorType": "Function.ResponseSizeTooLarge",
        }
        return {**result, "error": True, "function_error": "Unhandled", "body": error}
    return result


def _size(payload: Any) -> int:
    """Its bytes, as JSON where it is not text already."""
    if isinstance(payload, (str, bytes)):
        return len(payload)
    return len(json.dumps(payload, ensure_ascii=False, default=str).encode())
