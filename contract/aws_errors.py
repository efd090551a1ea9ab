"""What an error of AWS's says, without the library that raises it."""

from __future__ import annotations


def code_of(error: BaseException) -> str:
    """AWS's code of a botocore ClientError, or empty for another exception. Of a HEAD it is HTTP's status."""
    return _field(error, "Code")


def message_of(error: BaseException) -> str:
    """AWS's words of a botocore ClientError, or the exception's own."""
    return _field(error, "Message") if isinstance(getattr(error, "response", None), dict) else str(error)


def _field(error: BaseException, name: str) -> str:
    response = getattr(error, "response", None)
    return str(response.get("Error", {}).get(name, "")) if isinstance(response, dict) else ""
