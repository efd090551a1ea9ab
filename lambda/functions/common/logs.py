"""One JSON object a line, with the request's id in each: what CloudWatch Logs Insights can ask questions of.

The keys are those of Lambda's own JSON log format (`timestamp`, `level`, `message`, `requestId`), so that
both kinds of line answer to one query. `bind` adds keys (the run, the job, the package) to every later line
of the request. Source: https://docs.aws.amazon.com/lambda/latest/dg/python-logging.html
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import wraps
from typing import Any

Handler = Callable[[Any, Any], dict[str, Any]]
"""Of a payload and Lambda's context."""

_bound: ContextVar[dict[str, Any] | None] = ContextVar("bound", default=None)


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "message": record.getMessage(),
            **(_bound.get() or {}),
            **getattr(record, "facts", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["errorType"] = record.exc_info[0].__name__
            line["errorMessage"] = str(record.exc_info[1])
            line["stackTrace"] = self.formatException(record.exc_info).splitlines()
        return json.dumps(line, default=str)


class _Stdout(logging.StreamHandler[Any]):
    """Writes to whatever `sys.stdout` is at that moment: Lambda's runtime puts its own there."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stdout
        super().emit(record)


_logger = logging.getLogger("classifier")
_logger.setLevel(logging.INFO)
_logger.propagate = False
if not _logger.handlers:
    _handler = _Stdout()
    _handler.setFormatter(_JsonLines())
    _logger.addHandler(_handler)


def start(function: str, context: Any) -> None:
    """Begin a request: forget the last one's keys, bind this one's."""
    _bound.set({"requestId": request_id(context), "function": function})


def request_id(context: Any) -> str:
    """The id that Lambda gave the request."""
    return str(getattr(context, "aws_request_id", "") or "local")


def requests_to(function: str) -> Callable[[Handler], Handler]:
    """A handler whose log names its function, and has every failure before it is raised."""

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        def logged(payload: Any, context: Any) -> dict[str, Any]:
            start(function, context)
            try:
                return handler(payload, context)
            except Exception:
                exception(f"{function} failed")
                raise

        return logged

    return decorate


def bind(**facts: Any) -> None:
    """Add keys to every later line of this request."""
    _bound.set({**(_bound.get() or {}), **facts})


def info(message: str, **facts: Any) -> None:
    """One line at level INFO; `facts` become keys of the object."""
    _logger.info(message, extra={"facts": facts})


def warning(message: str, **facts: Any) -> None:
    """One line at level WARNING."""
    _logger.warning(message, extra={"facts": facts})


def exception(message: str, **facts: Any) -> None:
    """One line at level ERROR with the current exception's type, text and trace."""
    _logger.exception(message, extra={"facts": facts})
