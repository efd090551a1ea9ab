"""One instance of a production variant: a real server process with its own base folder, port and log stream.

It is started with the argument ``serve`` as SageMaker starts a container, asked for ``/ping`` until it
answers 200, watched from then on, and started again when it dies, with growing pauses. Only while it is
healthy does the router know it.
"""

from __future__ import annotations

import http.client
import shutil
import socket
import threading
import time
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from local_aws.core import process
from local_aws.core.context import LocalAws
from local_aws.core.errors import AwsError
from local_aws.sagemaker.registry import model_data
from local_aws.sagemaker.serving.plans import VariantPlan
from local_aws.sagemaker.serving.router import Router, Server, VariantRoute

# "the container must respond to ping requests within 2 seconds":
# https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
PING_SECONDS = 2.0
PING_PAUSE = 0.1
# A stopped container gets SIGTERM and then, as on SageMaker, SIGKILL after 30 seconds.
STOP_SECONDS = 30.0
# An invocation may take 60 seconds, so after that none can be in flight any more.
DRAIN_SECONDS = 65.0
# Between a process's death and its next start.
SHORTEST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


class ServerFailedError(Exception):
    """The server process did not become healthy; the message is SageMaker's FailureReason."""


@dataclass(eq=False)
class ServerProcess:
    """A server process, from its first start to its stop."""

    aws: LocalAws
    router: Router
    plan: VariantPlan
    route: VariantRoute
    folder: Path
    """Of the variant: the process gets one of its own in it."""
    artifact: Path | None
    log_group: str

    def __post_init__(self) -> None:
        # The form of an EC2 instance id, as in SageMaker's log stream names.
        self.instance_id = f"i-{uuid.uuid4().hex[:17]}"
        if self.plan.container is None:
            raise ValueError(f"variant {self.plan.name} has no model to serve")
        self._model = self.plan.container
        self._base = self.folder / self.instance_id
        self._stream = f"{self.plan.name}/{self.instance_id}"
        self._log = self.aws.log(self.log_group, self._stream)
        self._stopping = threading.Event()
        self._container: process.ContainerProcess | None = None
        self._server: Server | None = None
        self._watcher: threading.Thread | None = None

    def start(self) -> None:
        """Start the process; returns when it is healthy and takes requests. Raises ServerFailedError."""
        try:
            self._launch()
        except ServerFailedError:
            self._clear()
            raise
        self._watcher = self.aws.spawn(self._watch, f"watch {self._stream}")

    def stop(self) -> None:
        """Give it no more requests, wait for those in flight, end it and remove its folder."""
        self._stopping.set()
        if self._server is not None:
            self.router.remove(self.route, self._server)
            self.router.drain(self._server, DRAIN_SECONDS)
            self._server.connections.close()
        if self._container is not None:
            self._container.terminate(STOP_SECONDS)
        if self._watcher is not None:
            self._watcher.join(STOP_SECONDS)
        self._clear()

    def _launch(self) -> None:
        """One life of the process, up to its first good ping. Raises ServerFailedError."""
        self._container = self._server = None
        try:
            model_data.unpack(self.artifact, self._base / "model")
            port = _free_port()
            image = self.aws.images.resolve(self._model.image)
            container = process.start(
                image,
                ["serve"],
                self._environment(port),
                self._base,
                self._log.write,
                # On AWS it has instances of its own; here it takes little from who answers clients.
                gives_way=self.plan.shadow,
            )
        except (model_data.ModelDataError, process.ProcessesNotBegunError, AwsError, OSError) as error:
            raise ServerFailedError(
                f"The container for production variant {self.plan.name} cannot be started: {error}"
            ) from error
        self._container = container
        self._wait_until_healthy(container, port)
        self._server = Server(port, self.instance_id)
        self.router.add(self.route, self._server)

    def _environment(self, port: int) -> dict[str, str]:
        return {
            **self.aws.credentials(self.plan.role_arn, self.instance_id),
            # For containers that can be told where to listen: nobody but this machine should reach them.
            "SERVE_HOST": "127.0.0.1",
            **self._model.environment,
            # The inference toolkits' own variables for "listen here": several servers share one machine.
            "SAGEMAKER_BIND_TO_PORT": str(port),
            "SAGEMAKER_SAFE_PORT_RANGE": f"{port}-{port}",
        }

    def _wait_until_healthy(self, container: process.ContainerProcess, port: int) -> None:
        deadline = time.monotonic() + self.plan.health_check_seconds
        while time.monotonic() < deadline and not self._stopping.is_set():
            if container.exit_code is not None:
                raise self._unhealthy(f"the server process ended with exit code {container.exit_code}")
            if _ping(port):
                return
            container.wait(PING_PAUSE)
        container.kill()
        raise self._unhealthy(f"no 200 within {self.plan.health_check_seconds:.0f} s")

    def _unhealthy(self, what: str) -> ServerFailedError:
        return ServerFailedError(
            f"The primary container for production variant {self.plan.name} did not pass the ping health "
            f"check. Please check CloudWatch logs for this endpoint. ({what}; log stream {self._stream})"
        )

    def _watch(self) -> None:
        """Start the process again whenever it dies, until it is stopped."""
        pause = SHORTEST_PAUSE
        while True:
            began = time.monotonic()
            self._wait_for_its_end()
            if self._stopping.is_set() or process.ending():
                return
            # A process that keeps dying at once must not keep the machine busy.
            pause = (
                SHORTEST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else min(pause * 2, LONGEST_PAUSE)
            )
            self._log.write(f"The server process has ended; it is started again in {pause:.0f} s.")
            if self._stopping.wait(pause):
                return
            try:
                self._launch()
            except ServerFailedError as error:
                self._log.write(str(error))

    def _wait_for_its_end(self) -> None:
        if self._container is not None:
            self._container.wait()
        if self._server is not None:
            self.router.remove(self.route, self._server)
            self._server.connections.close()

    def _clear(self) -> None:
        self._log.close()
        shutil.rmtree(self._base, ignore_errors=True)


def _ping(port: int) -> bool:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PING_SECONDS)) as connection:
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False


def _free_port() -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
