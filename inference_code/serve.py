"""The endpoint's server: `python serve.py serve` answers GET /ping and POST /invocations as SageMaker asks.

The way through this file is the life of a container. `main` opens the port at once and loads the model
beside it, so that /ping can say 503 until the model has answered a first picture. The body of a request
to /invocations is read up to the limit, it is admitted (or told to come back), and `_answer` runs
SageMaker's functions of `inference.py` on it: a worker thread decodes the picture, and the thread that
computed its scores writes the answer, while the event loop stays free for /ping. On SIGTERM the container
goes on answering for a moment, says no to /ping, lets what is in flight end, and leaves.
https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import io
import json
import logging
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import FrameType
from typing import Any

import uvicorn
from PIL import Image
from starlette.background import BackgroundTask
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inference_code import inference, logs
from inference_code.api_error import Refusal
from inference_code.artifact import BadArtifact
from inference_code.body import Arrivals, Body
from inference_code.dynamic_batcher import BATCH, Scores
from inference_code.environment import NoGpu, positive, whole
from inference_code.inference import Classifier
from inference_code.protocol import Protocol

log = logging.getLogger("serve")

Reply = Future[tuple[str, dict[str, Any]]]
"""The body of an answer, and a report for the log."""

# SageMaker sends SIGKILL 30 s after SIGTERM: what is in flight has ended or timed out by then.
DRAIN_SECONDS = 25
# One is decoding, a batch is in the network, and one is next.
IN_WORK_PER_CORE = 2 + BATCH
# After SIGTERM the port stays open this long: connections already on their way are served, and every client
# that keeps its connection is told to close it.
FAREWELL_SECONDS = 0.5
# A connection is closed when nobody has used it for so long. With uvicorn's 5 s that met requests which were
# already in the socket of a busy server: their senders saw a reset. Senders keep theirs for a minute.
KEEP_ALIVE_SECONDS = 75
# malloc.h's names. Pixels of a picture of 1000x1000 stay in a heap, Pillow's blocks of 16 MB do not; and what
# a request of usual size needs is kept for the next.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
_MAPPED_FROM_BYTES, _KEPT_BYTES = 4 << 20, 16 << 20


@dataclass(frozen=True)
class Settings:
    """What the environment decides.

    Attributes:
        host: address to listen on.
        port: SageMaker may ask for another than 8080.
        model_dir: where SageMaker unpacks model.tar.gz.
        workers: threads that decode. One per core: more are no quicker, and each may take 830 MB.
        in_work: requests that all cores together can work on.
        queue: requests that may wait beside them; one more is told to come back.
        request_seconds: from the arrival of a request to its answer.
    """

    host: str
    port: int
    model_dir: Path
    workers: int
    in_work: int
    queue: int
    request_seconds: float

    @staticmethod
    def from_environment() -> Settings:
        """Read SAGEMAKER_BIND_TO_PORT, SAGEMAKER_BASE_DIR, SERVE_HOST, SERVE_QUEUE, SERVE_REQUEST_SECONDS."""
        env = os.environ
        cores = len(os.sched_getaffinity(0))
        return Settings(
            host=env.get("SERVE_HOST", "0.0.0.0"),  # noqa: S104  (a container is reached from outside)
            port=whole("SAGEMAKER_BIND_TO_PORT", 8080, 0, 65535),
            model_dir=Path(env.get("SAGEMAKER_BASE_DIR", "/opt/ml")) / "model",
            workers=cores,
            in_work=IN_WORK_PER_CORE * cores,
            queue=whole("SERVE_QUEUE", 64, 0, 100_000),
            request_seconds=positive("SERVE_REQUEST_SECONDS", 20.0),
        )


def main() -> None:
    """Serve until SIGTERM or Ctrl-C."""
    if sys.argv[1:] not in ([], ["serve"]):
        sys.exit(f"serve.py takes the one argument `serve`, not {' '.join(sys.argv[1:])}.")
    # Before PyTorch is loaded: its OpenMP threads spin for milliseconds while they wait for each other, and
    # so keep the cores from whoever they wait for. Spinning briefly, a picture took 117 ms beside busy
    # neighbours instead of 818, and 28 instead of 25 at best (47 without any spinning).
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    _return_large_blocks()
    logs.start()
    warnings.simplefilter("ignore")  # Pillow warns about every odd picture; what matters becomes a refusal
    settings = Settings.from_environment()
    service = Service(settings)
    threading.Thread(target=service.load_model, name="load", daemon=True).start()
    Server(service, settings).run()
    log.info("stopped")
    logging.shutdown()
    # Not sys.exit: that would wait for a worker thread whose picture takes longer than the drain.
    os._exit(0)


def _return_large_blocks() -> None:
    """Let glibc map large blocks by themselves, and give them back when they are freed.

    By itself it learns from the first large picture to keep blocks of up to 32 MB in its heaps, where small
    ones that live on between them hold them fast: 1,500 broken pictures, four times over, cost 24 MB more
    than once. With both bounds they cost no more than once, and no request faults its pages in anew. See
    mallopt(3), "dynamic mmap threshold"; another C library simply has no such call.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _MAPPED_FROM_BYTES)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


class Service:
    """The two routes and what they share: the model, the worker threads and the places for requests."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._model: Classifier | None = None
        self._failure: dict[str, str] | None = None
        self.draining = False
        self._workers = ThreadPoolExecutor(settings.workers, "worker")
        self._most_admitted = settings.in_work + settings.queue
        self.admitted = 0
        """Requests between their admission, when their body is here, and the end of their work."""
        self._counting = threading.Lock()
        self._arrivals = Arrivals()
        self._on_loopback = settings.host.startswith("127.")
        self._routes = {"/ping": ("GET", self.ping), "/invocations": ("POST", self.invocations)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI application: two routes, which need no router with its layers around every request."""
        request = Request(scope, receive)
        method, answer = self._routes.get(request.scope["path"], ("", None))
        if answer is None:
            why = "There is GET /ping and POST /invocations here."
            response = self._refuse(Refusal(HTTPStatus.NOT_FOUND, "NotFound", why))
        elif self._on_loopback and "origin" in request.headers:
            # Whoever is on this machine with a browser may visit a page that tries the ports.
            why = "What listens on 127.0.0.1 is for programs: no page of a browser may ask it."
            response = self._refuse(Refusal(HTTPStatus.FORBIDDEN, "ForbiddenOrigin", why))
        elif request.method != method:
            why = f"{request.scope['path']} takes {method} only."
            response = self._refuse(Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", why))
            response.headers["Allow"] = method
        else:
            response = await answer(request)
        await response(scope, receive, send)

    def load_model(self) -> None:
        """Load the model and let it answer a picture; until then /ping says no, and after a failure for ever.

        A container that cannot load its model does not exit: it would be started again and again, and the
        reason would be lost. SageMaker gives up on it by its pings and rolls back.
        """
        started = time.perf_counter()
        try:
            model = inference.model_fn(str(self._settings.model_dir))
            picture = io.BytesIO()
            Image.new("RGB", (640, 480)).save(picture, "JPEG")
            reply = Reply()
            self._answer(model, picture.getvalue(), Headers(), started, reply)
            reply.result()
        except Exception as error:
            expected = isinstance(error, BadArtifact | NoGpu)
            message = str(error) if expected else f"{type(error).__name__}: {error}"
            code = NoGpu.__name__ if isinstance(error, NoGpu) else BadArtifact.__name__
            self._failure = {"code": code, "message": message}
            reason = {"fields": {"reason": message}}
            log.error("model cannot be loaded", extra=reason, exc_info=not expected)
        else:
            # What is loaded stays: the garbage collector need not look through it during a request again.
            gc.collect()
            gc.freeze()
            self._model = model
            seconds = {"fields": {"seconds": round(time.perf_counter() - started, 3)}}
            log.info("ready", extra=seconds)

    async def ping(self, request: Request) -> Response:
        """200 when the model is loaded and has answered, 503 and the state otherwise."""
        state: dict[str, Any]
        if self._failure is not None:
            state = {"status": "failed", "error": self._failure}
        elif self.draining:
            state = {"status": "draining"}
        else:
            state = {"status": "starting" if self._model is None else "ready"}
        status = HTTPStatus.OK if state["status"] == "ready" else HTTPStatus.SERVICE_UNAVAILABLE
        return self._respond(status, json.dumps(state))

    async def invocations(self, request: Request) -> Response:
        """The prediction for the picture in the body, or why there is none; one log line either way."""
        started = time.perf_counter()
        body = Body(request)
        status = HTTPStatus.OK
        try:
            async with asyncio.timeout(self._settings.request_seconds) as deadline:
                answer, report = await self._predict(request, body, deadline)
        except ClientDisconnect:
            log.info("client left", extra={"fields": {"bytes": body.size}})
            return Response(status_code=HTTPStatus.BAD_REQUEST)
        except Exception as error:
            refusal = _refusal(error, body)
            _forget_traceback(error)
            await body.discard_rest()
            status, answer = refusal.status, refusal.as_json()
            report = {"code": refusal.code, "reason": refusal.message}
        milliseconds = round((time.perf_counter() - started) * 1000, 2)
        fields = {"status": status.value, "bytes": body.size, "milliseconds": milliseconds, **report}
        # Behind the answer, which need not wait for it.
        response = self._respond(status, answer, BackgroundTask(_log_request, fields))
        if not body.asked_for:  # what comes next on this connection may be the body or another request
            response.headers["Connection"] = "close"
        return response

    async def _predict(
        self, request: Request, body: Body, deadline: asyncio.Timeout
    ) -> tuple[str, dict[str, Any]]:
        """Read the request's body, admit it, and let a worker answer it.

        A place is for a request that can be worked on: while a body arrives it takes none.
        """
        if self._model is None:
            raise _unavailable("ModelNotReady", "The model is not loaded; /ping says why.")
        if self.admitted >= self._most_admitted:
            raise _overloaded()
        picture = await body.read(inference.MAX_IMAGE_BYTES, self._arrivals, deadline)
        if not self._admit():
            raise _overloaded()
        try:
            arrived = time.perf_counter()
            reply = Reply()
            self._workers.submit(self._answer, self._model, picture, request.headers, arrived, reply)
        except BaseException:
            self._leave()
            raise
        # The place stays taken until the work is done, also when the client left or the time is over.
        reply.add_done_callback(lambda _: self._leave())
        return await asyncio.wrap_future(reply)

    def _answer(self, model: Classifier, body: bytes, headers: Headers, arrived: float, reply: Reply) -> None:
        """What is done with one request: SageMaker's functions in their order, and a report for the log.

        A worker decodes the picture and goes on to the next; the thread that computed its scores does the
        rest. Were the worker to wait for them, each request would cost two more hand-overs between threads.
        """
        if not reply.set_running_or_notify_cancel():
            return  # the client left or its time was over, and nothing is begun yet
        started = time.perf_counter()
        context = RequestContext(headers)

        def finish(scores: Scores) -> None:
            with _failing(reply):
                prediction = model.prediction(query, scores.result())
                answer, _ = inference.output_fn(prediction, headers.get("Accept"), context)
                report = {
                    "width": query.picture.width,
                    "height": query.picture.height,
                    "predicted_class": prediction["predicted_class"],
                    "confidence": prediction["confidence"],
                    "queue_ms": round((started - arrived) * 1000, 2),
                    "decode_ms": round((query.decoded_at - started) * 1000, 2),
                    "predict_ms": round((time.perf_counter() - query.decoded_at) * 1000, 2),
                }
                reply.set_result((answer, report))

        with _failing(reply):
            query = inference.input_fn(body, headers.get("Content-Type"), context)
            alone = self.admitted <= 1
            model.scores(query, alone).add_done_callback(finish)

    def _admit(self) -> bool:
        with self._counting:
            free = self.admitted < self._most_admitted
            self.admitted += free
        return free

    def _leave(self) -> None:
        with self._counting:
            self.admitted -= 1

    def _refuse(self, refusal: Refusal) -> Response:
        return self._respond(refusal.status, refusal.as_json())

    def _respond(self, status: HTTPStatus, body: str, after: BackgroundTask | None = None) -> Response:
        headers = {"Connection": "close"} if self.draining else {}
        if status == HTTPStatus.SERVICE_UNAVAILABLE:
            headers["Retry-After"] = "1"
        return Response(body, status.value, headers, media_type=inference.JSON, background=after)


async def _log_request(fields: dict[str, Any]) -> None:
    """One line. A coroutine, or Starlette would give it a thread."""
    log.log(logging.INFO if fields["status"] < 500 else logging.ERROR, "request", extra={"fields": fields})


@contextmanager
def _failing(reply: Reply) -> Iterator[None]:
    """What is raised is what the reply fails with: in these threads nobody else would hear of it."""
    try:
        yield
    except BaseException as error:
        reply.set_exception(error)


@dataclass(frozen=True)
class RequestContext:
    """The headers of a request in the form in which AWS's toolkit hands them to the functions."""

    headers: Headers

    def get_request_header(self, index: int, key: str) -> str | None:
        """The header `key`; `index` counts the requests of a batch, here always one."""
        return self.headers.get(key)


def _refusal(error: Exception, body: Body) -> Refusal:
    """Any error of a request as what its sender is told; our own faults are logged with their traceback."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, TimeoutError):
        if body.complete:
            return Refusal(HTTPStatus.GATEWAY_TIMEOUT, "Timeout", "No answer in time: try again in a moment.")
        return Refusal(
            HTTPStatus.REQUEST_TIMEOUT, "BodyTimeout", "The body did not arrive in time: send it again."
        )
    log.error("request failed", exc_info=error)
    if isinstance(error, MemoryError):
        return _unavailable("Overloaded", "Out of memory: try again in a second.")
    return Refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", "The picture could not be classified.")


def _forget_traceback(error: BaseException | None) -> None:
    """Let go of the frames that an error went through, and those before it.

    They hold the body and its pixels, and the error: megabytes that only the garbage collector would free,
    which comes seldom.
    """
    while error is not None:
        error.__traceback__ = None
        error = error.__context__


def _overloaded() -> Refusal:
    return _unavailable("Overloaded", "Too many requests are waiting: try again in a second.")


def _unavailable(code: str, message: str) -> Refusal:
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, code, message)


class Server(uvicorn.Server):
    """uvicorn, with a farewell between SIGTERM and the closing of the port."""

    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        config = uvicorn.Config(
            service,
            host=settings.host,
            port=settings.port,
            http=Protocol,
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=DRAIN_SECONDS,
        )
        super().__init__(config)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """On the first signal say farewell and leave a moment later; on a second leave now."""
        if self._service.draining:
            self.force_exit = self.should_exit = True
            return
        self._service.draining = True
        log.info("draining", extra={"fields": {"signal": signal.Signals(sig).name}})
        loop = asyncio.get_running_loop()
        loop.call_soon_threadsafe(loop.call_later, FAREWELL_SECONDS, self._leave)

    def _leave(self) -> None:
        self.should_exit = True


if __name__ == "__main__":
    main()
