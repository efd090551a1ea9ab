"""An AWS JSON 1.1 service made of plain functions.

    @svc.operation("CreateModel")
    def create_model(request: dict[str, Any]) -> dict[str, Any]: ...

Requests are parsed and answers shaped by botocore's model of the service (`core.validation`). Functions run
in worker threads with the caller's context variables, so they may block and call other services of this
server.
"""

from __future__ import annotations

import asyncio
import contextvars
import json
import logging
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.model import OperationModel

from local_aws.core import validation
from local_aws.core.errors import AwsError
from local_aws.core.store import DiskFull
from local_aws.core.wire import model_of

Request = dict[str, Any]
Response = dict[str, Any]
Handler = Callable[[Request], Response | None]
HttpAnswer = tuple[int, dict[str, str], bytes]
# Called before an operation's function, with the operation's name and the parsed request; raises
# AccessDenied.
Authorise = Callable[[str, Request], None]

log = logging.getLogger(__name__)
# Many threads, all waiting: handlers call this same server, and an InvokeEndpoint lasts as long as the
# model needs.
_WORKERS = ThreadPoolExecutor(max_workers=64, thread_name_prefix="local-aws")


class JsonService:
    """The operations of one AWS service, dispatched by the ``X-Amz-Target`` header."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.model = model_of(name)
        self.authorise: Authorise | None = None
        self._handlers: dict[str, Handler] = {}
        self._at_start: list[Callable[[], object]] = []
        self._at_stop: list[Callable[[], object]] = []

    def operation(self, name: str) -> Callable[[Handler], Handler]:
        """Register the function which answers the operation `name` of the service model."""
        if name not in self.model.operation_names:
            raise ValueError(f"{self.name} has no operation {name}; botocore's model knows none of that name")

        def register(handler: Handler) -> Handler:
            if name in self._handlers:
                raise ValueError(f"{self.name}.{name} is answered by two functions")
            self._handlers[name] = handler
            return handler

        return register

    def at_start(self, work: Callable[[], object]) -> None:
        """Run `work` when the server answers, before it calls itself ready: take up stored resources."""
        self._at_start.append(work)

    def at_stop(self, work: Callable[[], object]) -> None:
        """Run `work` when the server is asked to stop, while it still answers requests."""
        self._at_stop.append(work)

    def start(self) -> None:
        """Run everything registered by `at_start`, in that order."""
        for work in self._at_start:
            work()

    def stop(self) -> None:
        """Run everything registered by `at_stop`; what one of them raises is logged, the others still run."""
        for work in self._at_stop:
            try:
                work()
            except Exception:
                log.exception("%s did not stop cleanly", self.name)

    def call(self, name: str, request: Request) -> Response:
        """Answer one operation in this thread. Raises AwsError for whatever is the caller's fault."""
        handler = self._handlers.get(name)
        if handler is None:
            answered = ", ".join(sorted(self._handlers))
            raise AwsError(
                "UnknownOperationException",
                f"{self.name}.{name} is not part of the local AWS; it answers: {answered}",
            )
        operation: OperationModel = self.model.operation_model(name)
        parsed: Request = validation.parse(operation.input_shape, request)
        if self.authorise is not None:
            self.authorise(name, parsed)
        answer: Response = validation.serialise(operation.output_shape, handler(parsed) or {})
        return answer

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> HttpAnswer:
        """Answer one HTTP request (`headers` in lower case), as `(status, headers, body)`."""
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        return await in_worker(lambda: self._answer(operation, body))

    def _answer(self, operation: str, body: bytes) -> HttpAnswer:
        try:
            try:
                request = json.loads(body or b"{}")
            except (ValueError, RecursionError) as error:
                raise AwsError("SerializationException", f"the request body is not JSON: {error}") from error
            return _reply(200, self.call(operation, request))
        except AwsError as error:
            return error_reply(error)
        except DiskFull as error:
            return error_reply(AwsError("InternalFailure", f"{operation} failed: {error}; make room", 500))
        except Exception:
            log.exception("%s.%s failed", self.name, operation)
            return error_reply(AwsError("InternalFailure", f"{operation} failed; see the server's log", 500))


def error_reply(error: AwsError) -> HttpAnswer:
    """An error in the form botocore's JSON parser reads."""
    status, headers, body = _reply(error.status, {"__type": error.code, "message": error.message})
    return status, {**headers, "x-amzn-ErrorType": error.code}, body


async def in_worker(work: Callable[[], HttpAnswer]) -> HttpAnswer:
    """Run blocking work beside the event loop, with the request's context variables."""
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(_WORKERS, context.run, work)


def _reply(status: int, document: Response) -> HttpAnswer:
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": str(uuid.uuid4())}
    return status, headers, json.dumps(document).encode()
