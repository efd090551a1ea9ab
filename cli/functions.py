"""Asking one of the deployed functions something, and reading its answer or its refusal."""

from __future__ import annotations

import json
from typing import Any

from cli.errors import LaunchRefused, NotDeployed
from cli.target import Target
from contract import names


def call(target: Target, function: str, request: dict[str, Any]) -> dict[str, Any]:
    """What the function answers to a request that was sent exactly once.

    Raises:
        NotDeployed: the function is not there.
        LaunchRefused: it refused the request (nothing was changed), or failed.
    """
    client = target.client("lambda", read_timeout=180, retries={"total_max_attempts": 1})
    name = names.function(target.project, function)
    try:
        response = client.invoke(FunctionName=name, Payload=json.dumps(request).encode())
    except client.exceptions.ResourceNotFoundException:
        raise NotDeployed(
            f"The function {name} is not deployed. Run `classifier up{target.option}` first."
        ) from None
    answer = json.loads(response["Payload"].read() or b"null")
    return read_answer(name, answer, failed="FunctionError" in response)


def read_answer(function: str, answer: Any, failed: bool) -> dict[str, Any]:
    """The answer itself, if it is one and no refusal; `failed`: the function crashed, see `call`."""
    if failed:
        message = (answer or {}).get("errorMessage", "it gave no reason")
        raise LaunchRefused(f"{function} failed: {message}\nIts log is in the group /aws/lambda/{function}.")
    if not isinstance(answer, dict) or "statusCode" not in answer:
        raise LaunchRefused(f"{function} gave an answer nobody here understands: {answer!r}. Deploy again.")
    if answer["statusCode"] >= 400:
        raise LaunchRefused(str(answer.get("error", {}).get("message", answer)))
    return answer
