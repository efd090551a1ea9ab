"""Asking another function of the project, and waiting for what it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from functions.common.clients import client


def ask(function: str, request: Mapping[str, object]) -> Any:
    """What a function answers to a request; a refusal is an answer too.

    Raises:
        RuntimeError: it failed.
    """
    answer = client("lambda").invoke(FunctionName=function, Payload=json.dumps(request).encode())
    reply = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:
        raise RuntimeError(f"{function} failed: {reply}")
    return reply
