"""Asking AWS: what is not there is None, a list is whole, and a function answers or refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cli.errors import LaunchRefused, NotDeployed, UnknownToLauncher
from cli.target import Target
from contract import names
from contract.aws_errors import code_of

ABSENT = frozenset(
    {
        *("NoSuchEntity", "ResourceNotFoundException", "ResourceNotFound", "NotFound", "NotFoundException"),
        *("QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "ValidationException"),
        *("ValidationError", "ParameterNotFound", "404", "NoSuchBucket", "NoSuchKey"),
    }
)
"""That there is no such thing: AWS has as many words for it as services."""
_TYPED = ("UnknownRecipe", "UnknownDataset", "UnknownModel", "InvalidName", "InvalidPayload")
"""Codes of a launcher for what was typed (docs/api.md)."""


def found(call: Callable[..., Any], **request: Any) -> Any:
    """What a call says of one thing, or None where AWS has no such thing."""
    from botocore.exceptions import ClientError

    try:
        return call(**request)
    except ClientError as error:
        if code_of(error) not in ABSENT:
            raise
        return None


def listed(client: Any, operation: str, key: str, **request: Any) -> Iterator[Any]:
    """All of a list, page after page; `key` is what a page calls it."""
    for page in client.get_paginator(operation).paginate(**request):
        yield from page.get(key, [])


def objects(s3: Any, bucket: str) -> Iterator[Any]:
    """The objects in a bucket; none when somebody deleted it past its stack."""
    from botocore.exceptions import ClientError

    try:
        yield from listed(s3, "list_objects_v2", "Contents", Bucket=bucket)
    except ClientError as error:
        if code_of(error) != "NoSuchBucket":
            raise


def endpoint(target: Target) -> Any:
    """DescribeEndpoint's answer for the project's endpoint, or None when there is none."""
    return found(target.client("sagemaker").describe_endpoint, EndpointName=target.project)


def invoke(
    target: Target, function: str, request: Mapping[str, object], seconds: float = 180
) -> dict[str, Any]:
    """What one of the deployed functions answers to a request that was sent exactly once.

    Args:
        seconds: how long to wait for its answer.

    Raises:
        NotDeployed: the function is not there.
        LaunchRefused: it refused the request (nothing was changed), or failed.
    """
    client = target.client("lambda", read_timeout=seconds, retries={"total_max_attempts": 1})
    name = names.function(target.project, function)
    try:
        response = client.invoke(FunctionName=name, Payload=json.dumps(request).encode())
    except client.exceptions.ResourceNotFoundException:
        raise NotDeployed(
            f"The function {name} is not deployed. Run `{target.command('up')}` first."
        ) from None
    answer = json.loads(response["Payload"].read() or b"null")
    return read_answer(name, answer, failed="FunctionError" in response)


def read_answer(function: str, answer: Any, failed: bool) -> dict[str, Any]:
    """The answer itself, if it is one and no refusal; `failed`: the function crashed."""
    if failed:
        message = (answer or {}).get("errorMessage", "it gave no reason")
        raise LaunchRefused(
            f"{function} failed: {message}\nIts log is in the group {names.log_of(function)}."
        )
    if not isinstance(answer, dict) or "statusCode" not in answer:
        raise LaunchRefused(f"{function} gave an answer nobody here understands: {answer!r}. Deploy again.")
    if answer["statusCode"] >= 400:
        error = answer.get("error", {})
        kind = UnknownToLauncher if error.get("code") in _TYPED else LaunchRefused
        raise kind(str(error.get("message", answer)))
    return answer
