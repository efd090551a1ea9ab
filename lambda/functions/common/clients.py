"""AWS clients, each made once per container: a client costs more to make than a request to send."""

from __future__ import annotations

from functools import cache
from typing import Any

import boto3
from botocore.config import Config

# API Gateway gives up after 29 s, so an inference call ends before that, and is not repeated behind its back.
_INFERENCE = Config(connect_timeout=2, read_timeout=25, retries={"total_max_attempts": 1, "mode": "standard"})
_STANDARD = Config(connect_timeout=5, read_timeout=30, retries={"total_max_attempts": 4, "mode": "standard"})


@cache
def client(service: str) -> Any:
    """The container's one boto3 client of this service."""
    return boto3.client(service, config=_INFERENCE if service == "sagemaker-runtime" else _STANDARD)


def error_code(error: Exception) -> str:
    """AWS's code of a botocore ClientError (`ValidationException`), or empty for any other exception."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Code", "")) if isinstance(response, dict) else ""


def error_message(error: Exception) -> str:
    """AWS's words of a botocore ClientError, or the exception's own."""
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get("Message", "")) if isinstance(response, dict) else str(error)
