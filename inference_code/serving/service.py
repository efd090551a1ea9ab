"""The ASGI application: GET /ping and POST /invocations, and the model that answers there."""

from __future__ import annotations

import gc
import io
import json
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from inference_code import inference
from inference_code.api_error import ApiError
from inference_code.environment import NoGpu
from inference_code.inference import Classifier
from inference_code.model.bad_artifact import BadArtifact
from inference_code.serving.admission import Admission
from inference_code.serving.body import Arrivals
from inference_code.serving.exchange import Exchange, json_response
from inference_code.serving.settings import Settings

log = logging.getLogger("serve")


class Service:
    """The two routes and what they share: the model, the worker threads and the places for requests.

    Attributes:
        draining: set on SIGTERM; /ping says no, and every connection is closed with its answer.
        admission: the places for requests.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._model: Classifier | None = None
        self._failure: dict[str, str] | None = None
        self.draining = False
        self.admission = Admission(settings.in_work + settings.queue)
        self._workers = ThreadPoolExecutor(settings.workers, "worker")
        self._arrivals = Arrivals()
        self._on_loopback = settings.host.startswith("127.")
        self._routes = {"/ping": ("GET", self.ping), "/invocations": ("POST", self.invocations)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Two routes need no router with its layers around every request."""
        response = await self._routed(Request(scope, receive))
        if self.draining:
            response.headers["Connection"] = "close"
        await response(scope, receive, send)

    async def _routed(self, request: Request) -> Response:
        path = request.scope["path"]
        method, answer = self._routes.get(path, ("", None))
        if answer is None:
            why = "There is GET /ping and POST /invocations here."
            return _refused(HTTPStatus.NOT_FOUND, "NotFound", why)
        if self._on_loopback and "origin" in request.headers:
            # Whoever is on this machine with a browser may visit a page that tries the ports.
            why = "What listens on 127.0.0.1 is for programs: no page of a browser may ask it."
            return _refused(HTTPStatus.FORBIDDEN, "ForbiddenOrigin", why)
        if request.method != method:
            why = f"{path} takes {method} only."
            response = _refused(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", why)
            response.headers["Allow"] = method
            return response
        return await answer(request)

    async def invocations(self, request: Request) -> Response:
        """The prediction for the picture in the body, or why there is none."""
        exchange = Exchange(request, self._loaded_model, self._workers, self.admission, self._arrivals)
        return await exchange.response(self._settings.request_seconds)

    def _loaded_model(self) -> Classifier:
        if self._model is None:
            why = "The model is not loaded; /ping says why."
            raise ApiError(HTTPStatus.SERVICE_UNAVAILABLE, "ModelNotReady", why)
        return self._model

    async def ping(self, request: Request) -> Response:
        """200 when the model is loaded and has answered, 503 and the state otherwise."""
        state: dict[str, object]
        if self._failure is not None:
            state = {"status": "failed", "error": self._failure}
        elif self.draining:
            state = {"status": "draining"}
        else:
            state = {"status": "starting" if self._model is None else "ready"}
        status = HTTPStatus.OK if state["status"] == "ready" else HTTPStatus.SERVICE_UNAVAILABLE
        return json_response(status, json.dumps(state))

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
            query = inference.input_fn(picture.getvalue(), None)
            inference.output_fn(inference.predict_fn(query, model), None)
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


def _refused(status: HTTPStatus, code: str, message: str) -> Response:
    return json_response(status, ApiError(status, code, message).as_json())
