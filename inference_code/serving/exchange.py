"""One request to /invocations, from its arrival to its answer.

Three threads meet in it, and its methods stand in the order in which they run. The event loop reads the
body, takes a place and waits; a worker decodes the picture and goes on to the next, so that it waits for
nobody; the thread that computed the scores writes the answer.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from inference_code import inference
from inference_code.api_error import ApiError
from inference_code.inference import Classifier, Query
from inference_code.model.dynamic_batcher import Scores
from inference_code.serving.admission import Admission
from inference_code.serving.body import Arrivals, Body

log = logging.getLogger("serve")

T = TypeVar("T")
Report = dict[str, object]
"""Fields of a request's line in the log."""


class Exchange:
    """A request and what becomes of it: `response` is its whole life. It is its functions' context, too.

    `loaded_model` gives the model, or raises ApiError while there is none; `workers` decode.
    """

    _model: Classifier
    _query: Query
    _admitted: float
    """When it was handed to the workers."""
    _begun: float
    """When one of them took it up."""

    def __init__(
        self,
        request: Request,
        loaded_model: Callable[[], Classifier],
        workers: ThreadPoolExecutor,
        admission: Admission,
        arrivals: Arrivals,
    ) -> None:
        self._started = time.perf_counter()
        self._headers = request.headers
        self._body = Body(request)
        self._loaded_model, self._workers = loaded_model, workers
        self._admission, self._arrivals = admission, arrivals
        self._reply = Future[tuple[str, Report]]()

    # On the event loop

    async def response(self, seconds: float) -> Response:
        """The prediction, or why there is none, after at most so many seconds; one log line either way."""
        status = HTTPStatus.OK
        try:
            async with asyncio.timeout(seconds) as deadline:
                await self._begin(deadline)
                answer, report = await asyncio.wrap_future(self._reply)
        except ClientDisconnect:
            log.info("client left", extra={"fields": {"bytes": self._body.size}})
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        except Exception as error:
            failure = self._api_error(error)
            _forget_traceback(error)
            await self._body.discard_rest()
            status, answer = failure.status, failure.as_json()
            report = {"code": failure.code, "reason": failure.message}
        report = {
            "status": status.value,
            "bytes": self._body.size,
            "milliseconds": _milliseconds(self._started, time.perf_counter()),
            **report,
        }
        # Behind the answer, which need not wait for it.
        response = json_response(status, answer, BackgroundTask(_log_request, status, report))
        if not self._body.asked_for:  # what comes next on this connection may be the body or another request
            response.headers["Connection"] = "close"
        return response

    async def _begin(self, deadline: asyncio.Timeout) -> None:
        """Read the body, take a place, and hand the picture to a worker.

        A place is for a request that can be worked on: while a body arrives it takes none. It stays taken
        until the work is done, also when the client left or the time is over.
        """
        self._model = self._loaded_model()
        if self._admission.full:
            raise _overloaded()
        picture = await self._body.read(self._arrivals, deadline)
        if not self._admission.take():
            raise _overloaded()
        self._reply.add_done_callback(self._admission.give_back)
        self._admitted = time.perf_counter()
        try:
            self._workers.submit(self._guarded, self._decode, picture)
        except BaseException:
            self._reply.cancel()
            raise

    # On a worker, then on the thread that computed the scores

    def _guarded(self, step: Callable[[T], None], argument: T) -> None:
        """A step that fails fails the reply: in these threads nobody else would hear of it."""
        try:
            step(argument)
        except BaseException as error:
            self._reply.set_exception(error)

    def _decode(self, picture: bytes) -> None:
        if not self._reply.set_running_or_notify_cancel():
            return  # the client left or its time was over, and nothing is begun yet
        self._begun = time.perf_counter()
        self._query = inference.input_fn(picture, self._headers.get("Content-Type"), self)
        alone = self._admission.admitted <= 1
        scores = self._model.scores(self._query, alone)
        scores.add_done_callback(partial(self._guarded, self._answer))

    def _answer(self, scores: Scores) -> None:
        query = self._query
        prediction = self._model.prediction(query, scores.result())
        if not query.explain:
            self._write(prediction)
            return
        # Computed on a thread of its own: this one is the network's, and others wait for it.
        explained = self._model.explained(query, prediction)
        explained.add_done_callback(partial(self._guarded, lambda found: self._write(found.result())))

    # On the thread that computed the scores, or the explanation

    def _write(self, prediction: dict[str, Any]) -> None:
        query = self._query
        answer, _ = inference.output_fn(prediction, self._headers.get("Accept"), self)
        report: Report = {
            "width": query.picture.width,
            "height": query.picture.height,
            "predicted_class": prediction["predicted_class"],
            "confidence": prediction["confidence"],
            "queue_ms": _milliseconds(self._admitted, self._begun),
            "decode_ms": _milliseconds(self._begun, query.decoded_at),
            "predict_ms": _milliseconds(query.decoded_at, time.perf_counter()),
            **({"explained": prediction["explanation"] is not None} if query.explain else {}),
        }
        self._reply.set_result((answer, report))

    def get_request_header(self, index: int, key: str) -> str | None:
        """The header `key`, as AWS's toolkit hands it to the functions; `index` is always 0."""
        return self._headers.get(key)

    # What its sender is told

    def _api_error(self, error: Exception) -> ApiError:
        """Any error of the request as an answer; our own faults are logged with their traceback."""
        if isinstance(error, ApiError):
            return error
        if isinstance(error, TimeoutError):
            if self._body.complete:
                why = "No answer in time: try again in a moment."
                return ApiError(HTTPStatus.GATEWAY_TIMEOUT, "Timeout", why)
            why = "The body did not arrive in time: send it again."
            return ApiError(HTTPStatus.REQUEST_TIMEOUT, "BodyTimeout", why)
        log.error("request failed", exc_info=error)
        if isinstance(error, MemoryError):
            return _unavailable("Overloaded", "Out of memory: try again in a second.")
        why = "The picture could not be classified."
        return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", why)


def json_response(status: HTTPStatus, body: str, after: BackgroundTask | None = None) -> Response:
    """An answer in JSON; after a 503 it is worth asking again."""
    headers = {"Retry-After": "1"} if status == HTTPStatus.SERVICE_UNAVAILABLE else None
    return Response(body, status.value, headers, media_type=inference.JSON, background=after)


async def _log_request(status: HTTPStatus, fields: Report) -> None:
    """One line. A coroutine, or Starlette would give it a thread."""
    level = logging.INFO if status < HTTPStatus.INTERNAL_SERVER_ERROR else logging.ERROR
    log.log(level, "request", extra={"fields": fields})


def _forget_traceback(error: BaseException | None) -> None:
    """Let go of the frames an error and those before it went through: they hold the body and its pixels."""
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


def _milliseconds(start: float, end: float) -> float:
    return round((end - start) * 1000, 2)


def _overloaded() -> ApiError:
    return _unavailable("Overloaded", "Too many requests are waiting: try again in a second.")


def _unavailable(code: str, message: str) -> ApiError:
    return ApiError(HTTPStatus.SERVICE_UNAVAILABLE, code, message)
