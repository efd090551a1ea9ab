"""What API Gateway answers by itself: its own errors, and a browser's question before it sends a picture.

The errors (no key, too many, too large) have the JSON form of the classify function's own.
"""

from __future__ import annotations

import json

from aws_cdk import aws_apigateway as apigateway

from contract.api import error_of
from contract.given import GIVE, SENDER
from stacks.settings.schema import Settings

_SIGN = "Sign the request with AWS credentials (Signature Version 4, service execute-api)."


def allow_browsers(resource: apigateway.Resource, method: str, settings: Settings) -> None:
    """Answer a browser's question whether another site's script may ask for this (CORS preflight)."""
    given = f",{GIVE},{SENDER}" if settings.corrections.days else ""
    parameters = {
        "Access-Control-Allow-Origin": f"'{settings.api.cors_origin}'",
        "Access-Control-Allow-Methods": f"'{method},OPTIONS'",
        # A signature comes in the headers that begin with `authorization` and `x-amz`.
        "Access-Control-Allow-Headers": "'content-type,x-api-key,authorization,x-amz-date,"
        f"x-amz-security-token,x-amz-content-sha256{given}'"
        if settings.api.iam_auth
        else f"'content-type,x-api-key{given}'",
        "Access-Control-Max-Age": "'86400'",
    }
    headers = {f"method.response.header.{name}": value for name, value in parameters.items()}
    resource.add_method(
        "OPTIONS",
        apigateway.MockIntegration(
            # With binary media types `*/*` a mock answers 500 unless its (empty) body is taken for text.
            content_handling=apigateway.ContentHandling.CONVERT_TO_TEXT,
            request_templates={"application/json": '{"statusCode": 204}'},
            integration_responses=[
                apigateway.IntegrationResponse(status_code="204", response_parameters=headers)
            ],
        ),
        method_responses=[
            apigateway.MethodResponse(status_code="204", response_parameters=dict.fromkeys(headers, True))
        ],
    )


def add_error_answers(api: apigateway.RestApi, settings: Settings) -> None:
    """Errors of API Gateway itself, in the form that docs/api.md promises."""
    kind = apigateway.ResponseType
    origin = settings.api.cors_origin
    megabytes = settings.max_image_bytes / 1e6
    too_large = f"The picture is too large: at most {megabytes:.1f} MB are taken. Send a smaller one."
    no_key = "Send this API's key in the header x-api-key: none came, or another one."
    paths = _known_paths(settings)
    signed = (
        # API Gateway says the same of a path that does not exist and of a request without a signature.
        ("Unknown", kind.MISSING_AUTHENTICATION_TOKEN, "403", "Forbidden", f"{_SIGN} {paths}"),
        ("Signature", kind.INVALID_SIGNATURE, "403", "Forbidden", f"The signature is wrong. {_SIGN}"),
        ("Expired", kind.EXPIRED_TOKEN, "403", "Forbidden", f"The signature has expired. {_SIGN}"),
        ("Denied", kind.ACCESS_DENIED, "403", "Forbidden", "You may not execute-api:Invoke this path."),
        # Credentials that nobody has, or half a signature, have no type of their own.
        ("Credentials", kind.DEFAULT_4_XX, None, "Forbidden", f"The credentials are unknown. {_SIGN}"),
    )
    unsigned = (("Unknown", kind.MISSING_AUTHENTICATION_TOKEN, "404", "NotFound", paths),)
    firewall = (("Firewall", kind.WAF_FILTERED, "403", "Forbidden", "The firewall refused the request."),)
    for construct_id, response_type, status, code, message in (
        ("NoKey", kind.INVALID_API_KEY, "403", "Forbidden", no_key),
        *(signed if settings.api.iam_auth else unsigned),
        *(firewall if settings.api.waf else ()),
        ("Throttled", kind.THROTTLED, "429", "TooManyRequests", "Too many requests; wait and repeat."),
        ("Quota", kind.QUOTA_EXCEEDED, "429", "QuotaExceeded", "The key's quota for today is used up."),
        ("TooLarge", kind.REQUEST_TOO_LARGE, "413", "PayloadTooLarge", too_large),
        ("Timeout", kind.INTEGRATION_TIMEOUT, "504", "Timeout", "No answer in time; repeat later."),
        ("Failure", kind.INTEGRATION_FAILURE, "502", "BadGateway", "The service failed; repeat later."),
        # Whatever else goes wrong in the gateway keeps its own status.
        ("Other", kind.DEFAULT_5_XX, None, "InternalError", "The service failed; repeat later."),
    ):
        api.add_gateway_response(
            construct_id,
            type=response_type,
            status_code=status,
            response_headers={"Access-Control-Allow-Origin": f"'{origin}'"} if origin else None,
            templates={
                "application/json": json.dumps(
                    {**error_of(code, message), "request_id": "$context.requestId"}
                )
            },
        )


def _known_paths(settings: Settings) -> str:
    paths = ["POST /classify"]
    if settings.corrections.days:
        paths.append("POST /feedback")
    paths += ["GET /model", "GET /classes", "GET /openapi.json"]
    if not settings.api.iam_auth:
        paths.append("GET /")
    *others, last = paths
    return f"There is {', '.join(others)} and {last} here."
