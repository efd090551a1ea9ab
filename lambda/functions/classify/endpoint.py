"""The endpoint behind the API: ask it, and say what its failures mean for the client.

What the container refuses (not a picture, too many pixels) comes through SageMaker as a ModelError and goes
on with the same status, code and message. Everything else is about the endpoint, never about the request:
429, 503, 504. Source:
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
"""

from __future__ import annotations

import json
import re
from typing import Any, cast

from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ReadTimeoutError,
)

from contract.aws_errors import code_of, message_of
from contract.environment import ClassifyEnvironment
from functions.classify.absence import why_absent
from functions.classify.api_error import broken, busy, slow_down, starting, timeout, waking
from functions.classify.picture import Picture
from functions.common import logs, sentences
from functions.common.clients import client
from functions.common.rest import ApiError

_PASSED_ON = (400, 408, 413, 415, 429, 503, 504)
"""What the API answers for the container; anything else of the container is a fault of the model server."""

_INFERENCE_ID = re.compile(r"[!-~]{1,64}")
_CODES = {
    "ModelNotReadyException": starting,
    "ThrottlingException": slow_down,
    "ServiceUnavailable": busy,
    "ServiceUnavailableException": busy,
    "InternalFailure": busy,
    "InternalDependencyException": busy,
}
"""What SageMaker's own errors mean for a client."""


def classify(env: ClassifyEnvironment, picture: Picture, request_id: str) -> str:
    """The container's JSON answer for a picture.

    The request's id goes along: "it is added to the captured data when you enable data capture", so that two
    models' answers to one request can be laid side by side.

    Raises:
        ApiError: there is none, and why.
    """
    asked = {"top_k": picture.top_k, "explain": picture.explain}
    attributes = ",".join(f"{name}={value}" for name, value in asked.items() if value)
    component = env.inference_component
    request = {
        "EndpointName": env.endpoint_name,
        "Body": picture.body,
        "ContentType": picture.content_type,
        "Accept": "application/json",
        **({"CustomAttributes": attributes} if attributes else {}),
        **({"InferenceComponentName": component} if component else {}),
        **({"InferenceId": request_id} if _INFERENCE_ID.fullmatch(request_id) else {}),
    }
    try:
        answer = _invoke(request)
        with answer["Body"] as body:
            text: str = body.read().decode()
    except ReadTimeoutError:
        raise timeout() from None
    except (ConnectionClosedError, ConnectTimeoutError, EndpointConnectionError):
        raise busy() from None
    except ClientError as error:
        raise _meaning(error, env) from error
    return text


def _invoke(request: dict[str, Any]) -> dict[str, Any]:
    runtime = client("sagemaker-runtime")
    try:
        answer: dict[str, Any] = runtime.invoke_endpoint(**request)
    except ConnectionClosedError:
        # A container that slept finds its kept connection closed by the other side: once more, on a new one.
        answer = runtime.invoke_endpoint(**request)
    return answer


def _meaning(error: ClientError, env: ClassifyEnvironment) -> Exception:
    """The API's error that a failed call means, or the error itself when the deployment is at fault."""
    code = code_of(error)
    if code == "ModelError":
        return _of_container(error.response)
    if code in _CODES:
        return _CODES[code]()
    if sentences.no_capacity(error):
        # With scale_to_zero. The refusal itself is what wakes the model: CloudWatch counts it.
        return waking()
    if sentences.endpoint_not_found(error):
        return _not_serving(env)
    return cast(Exception, error)


def _of_container(response: Any) -> ApiError:
    """What the container answered, passed on; SageMaker reports its own timeout as status 0."""
    status = int(response.get("OriginalStatusCode", 0))
    text = str(response.get("OriginalMessage", ""))
    try:
        given = json.loads(text)["error"]
        code, message = str(given["code"]), str(given["message"])
    except (ValueError, LookupError, TypeError, RecursionError):
        logs.warning("the container's error has no code", status=status, text=text[:500])
        return timeout() if status in (0, 504) else broken()
    if status not in _PASSED_ON:
        logs.warning("the container failed", status=status, code=code, text=message[:500])
        return broken()
    return ApiError(status, code, message, retry_after=2 if status in (429, 503) else None)


def _not_serving(env: ClassifyEnvironment) -> ApiError:
    """InvokeEndpoint says "not found" of an endpoint that is missing and of one that is not up yet."""
    try:
        status = client("sagemaker").describe_endpoint(EndpointName=env.endpoint_name)["EndpointStatus"]
    except ClientError as error:
        logs.info("no endpoint", reason=message_of(error))
        return why_absent(env, wake=True)
    logs.info("endpoint does not serve", status=status)
    if status == "Failed":
        return ApiError(503, "EndpointFailed", "The endpoint failed to start; classifier status says why.")
    if status == "Deleting":
        return why_absent(env, wake=True)
    return starting()
