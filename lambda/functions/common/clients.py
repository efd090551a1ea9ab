"""AWS clients, each made once per container: a client costs more to make than a request to send."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import boto3
from botocore.config import Config

from functions.common import sentences

# API Gateway gives up after 29 s, so an inference call ends before that, and is not repeated behind its back.
_INFERENCE = Config(connect_timeout=2, read_timeout=25, retries={"total_max_attempts": 1, "mode": "standard"})
_STANDARD = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 4, "mode": "standard"})


@cache
def client(service: str) -> Any:
    """The container's one boto3 client of this service."""
    return boto3.client(service, config=_INFERENCE if service == "sagemaker-runtime" else _STANDARD)


def describe(operation: Callable[..., Any], **name: str) -> dict[str, Any] | None:
    """What a Describe operation of SageMaker answers, or None when there is nothing of that name."""
    try:
        answer: dict[str, Any] = operation(**name)
    except Exception as error:
        if sentences.missing(error):
            return None
        raise
    return answer
