"""InvokeEndpoint: a prediction's way from the client to a server process and back.

`InvocationService` is the SageMaker service with its runtime: the two share one signing name, and only the
path tells them apart. The invocation itself stays on the event loop from end to end (no thread, no new
connection), so a model that takes its time costs the server nothing but an open socket.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from http import HTTPStatus
from typing import Any

from local_aws.core.api import HttpAnswer, JsonService, error_reply
from local_aws.core.context import LocalAws
from local_aws.core.errors import AwsError
from local_aws.sagemaker.hosting import inference_components
from local_aws.sagemaker.serving import copies
from local_aws.sagemaker.serving.copies import Copies
from local_aws.sagemaker.serving.data_capture import DataCapture, Exchange
from local_aws.sagemaker.serving.fleet import FleetFailedError
from local_aws.sagemaker.serving.router import (
    EndpointNotFoundError,
    Lease,
    NoServerError,
    Router,
    TooManyRequestsError,
    VariantNotFoundError,
)
from local_aws.sagemaker.serving.traffic_metrics import TrafficMetrics
from local_aws.sagemaker.serving.upstream import Answer, UpstreamError

_PATH = re.compile(r"/endpoints/([^/\s]+)/invocations")
# "payload sizes up to 25 MB, and processing times of up to 60 seconds":
# https://docs.aws.amazon.com/sagemaker/latest/dg/hosting-faqs.html
MAX_BODY = 25 * 2**20
TIMEOUT_SECONDS = 60.0
OCTETS = "application/octet-stream"
_CUSTOM_ATTRIBUTES = "x-amzn-sagemaker-custom-attributes"
_INFERENCE_ID = "x-amzn-sagemaker-inference-id"
_COMPONENT = "x-amzn-sagemaker-inference-component"
_TARGET_VARIANT = "x-amzn-sagemaker-target-variant"
# "SageMaker AI strips all POST headers except those supported by the API."
_FORWARDED = (
    "content-type",
    "accept",
    _CUSTOM_ATTRIBUTES,
    _INFERENCE_ID,
    "x-amzn-sagemaker-session-id",
)
# They address machinery the local AWS does not have; ignoring them would answer from the wrong model.
_REFUSED = {
    "x-amzn-sagemaker-target-model": "TargetModel",
    "x-amzn-sagemaker-target-container-hostname": "TargetContainerHostname",
    "x-amzn-sagemaker-enable-explanations": "EnableExplanations",
}
_NO_ANSWER = (
    "Your invocation timed out while waiting for a response from container primary. Review the latency "
    "metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
)


class InvocationService(JsonService):
    """The API named ``sagemaker`` on the wire: SageMaker's operations, and the runtime's InvokeEndpoint.

    The path is decoded already and read here alone: the name that IAM judges is the one that is invoked.
    """

    def __init__(self, aws: LocalAws, router: Router, metrics: TrafficMetrics, capture: DataCapture) -> None:
        super().__init__("sagemaker")
        self._aws = aws
        self._router = router
        self._metrics = metrics
        self._capture = capture
        self._copies = Copies(router, metrics, _ask, self._keep_copy)

    async def handle(
        self, method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> HttpAnswer:
        """Answer one HTTP request (`headers` in lower case), as `(status, headers, body)`."""
        match = _PATH.fullmatch(path)
        if match is None or method != "POST":
            return await super().handle(method, path, headers, body, query)
        try:
            endpoint = match.group(1)
            if self.authorise is not None:
                self.authorise("InvokeEndpoint", {"EndpointName": endpoint})
            return await self._invoke(endpoint, headers, body)
        except AwsError as error:
            return error_reply(error)

    async def _invoke(self, endpoint: str, headers: dict[str, str], body: bytes) -> HttpAnswer:
        began = time.perf_counter()
        _check(headers, body)
        component = headers.get(_COMPONENT)
        route = inference_components.route(self._aws, endpoint, component)
        try:
            await self._wake(endpoint, body)
            with self._router.lease(route, headers.get(_TARGET_VARIANT)) as lease:
                _check_size(body, lease.route.max_body or MAX_BODY)
                sent = time.perf_counter()
                answer = await _ask(lease, headers, body)
                model = time.perf_counter() - sent
        except EndpointNotFoundError:
            message = f"Endpoint {endpoint} of account {self._aws.account} not found."
            raise AwsError("ValidationError", message) from None
        except VariantNotFoundError as error:
            message = f"Variant {error} not found for endpoint {endpoint} of account {self._aws.account}."
            raise AwsError("ValidationError", message) from None
        except TooManyRequestsError as error:
            raise AwsError("ThrottlingException", f"Rate exceeded for variant {error}.", 429) from None
        except NoServerError:
            if component is not None:
                self._metrics.no_capacity(route)
                raise AwsError("ValidationError", inference_components.NO_CAPACITY) from None
            message = f"No server of endpoint {endpoint} is running at this moment. Try your call again."
            raise AwsError("ServiceUnavailable", message, 503) from None
        reply = self._reply(endpoint, lease, answer)
        if reply[0] == HTTPStatus.OK:
            self._keep(endpoint, lease, headers, body, answer)
        overhead = time.perf_counter() - began - model
        variant = route, lease.variant, lease.route.config
        self._metrics.record(variant, lease.servers, answer.status, model, overhead)
        self._copies.send(lease, copies.Request(route, headers, body))
        return reply

    def _keep(
        self, endpoint: str, lease: Lease, headers: dict[str, str], body: bytes, answer: Answer
    ) -> None:
        """Capture a request that was answered, where the endpoint's configuration asks for that."""
        asked = headers.get("content-type", OCTETS), body
        answered = answer.headers.get("content-type", OCTETS), answer.body
        exchange = Exchange(
            endpoint, lease.variant, self._aws.now(), asked, answered, headers.get(_INFERENCE_ID)
        )
        self._capture.record(lease.route.capture, exchange)

    def _keep_copy(self, lease: Lease, request: copies.Request, answer: Answer) -> None:
        self._keep(request.route, lease, request.headers, request.body, answer)

    async def _wake(self, endpoint: str, body: bytes) -> None:
        """Wait for the first server of a serverless variant that sleeps."""
        asleep = self._router.asleep(endpoint)
        if asleep is None or asleep.wake is None:
            return
        _check_size(body, asleep.max_body or MAX_BODY)
        try:
            await asyncio.to_thread(asleep.wake)
        except FleetFailedError as error:
            raise AwsError("ModelError", str(error), 424) from None

    def _reply(self, endpoint: str, lease: Lease, answer: Answer) -> HttpAnswer:
        if not 200 <= answer.status < 300:
            return self._model_error(endpoint, answer)
        # Lower-case names: ministack rewrites the content type of a "Content-Type" it takes for an
        # envelope's.
        headers = {
            "content-type": answer.headers.get("content-type", OCTETS),
            "x-Amzn-Invoked-Production-Variant": lease.variant,
        }
        if _CUSTOM_ATTRIBUTES in answer.headers:
            headers["X-Amzn-SageMaker-Custom-Attributes"] = answer.headers[_CUSTOM_ATTRIBUTES]
        return 200, headers, answer.body

    def _model_error(self, endpoint: str, answer: Answer) -> HttpAnswer:
        client = 400 <= answer.status < 500
        text = answer.body.decode("utf-8", errors="replace")
        group = f"/aws/sagemaker/Endpoints/{endpoint}"
        region = self._aws.region
        console = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}"
        document = {
            "ErrorCode": "CLIENT_ERROR_FROM_MODEL" if client else "INTERNAL_FAILURE_FROM_MODEL",
            "LogStreamArn": self._aws.arn(f"log-group:{group}", "logs"),
            "Message": (
                f"Received {'client' if client else 'server'} error ({answer.status}) from primary with "
                f'message "{text}". See {console}#logEventViewer:group={group} in account '
                f"{self._aws.account} for more information."
            ),
            "OriginalMessage": text,
            "OriginalStatusCode": answer.status,
        }
        headers = {"content-type": "application/json", "x-amzn-ErrorType": "ModelError"}
        return 424, headers, json.dumps(document).encode()


def _check_size(body: bytes, most: int) -> None:
    if len(body) > most:
        raise AwsError(
            "ValidationError",
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must have "
            f"length less than or equal to {most}",
        )


def _check(headers: dict[str, str], body: bytes) -> None:
    _check_size(body, MAX_BODY)
    for header, member in _REFUSED.items():
        if header in headers:
            raise AwsError(
                "ValidationError", f"The local AWS hosts one model per variant; leave {member} out."
            )


async def _ask(lease: Lease, headers: dict[str, str], body: bytes) -> Answer:
    """The server's answer; status 0, as AWS reports it, when none came."""
    forwarded = {name: headers[name] for name in _FORWARDED if name in headers}
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await lease.server.connections.request("POST", "/invocations", forwarded, body)
    except TimeoutError:
        return Answer(0, {}, _NO_ANSWER.encode())
    except UpstreamError as error:
        return Answer(0, {}, str(error).encode())
