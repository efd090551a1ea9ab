"""All server processes of one deployment of an endpoint.

A fleet comes up as a whole or not at all (`start`), changes the number of servers of a variant while it
serves (`scale`), and goes down without losing a request (`stop`). It owns a folder with the artifact of each
variant, so that further servers, restarts and the revival after a crash need nothing from outside.
"""

from __future__ import annotations

import contextvars
import logging
import shutil
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from local_aws.core.context import LocalAws
from local_aws.sagemaker.registry import model_data
from local_aws.sagemaker.serving import serverless
from local_aws.sagemaker.serving.plans import VariantPlan
from local_aws.sagemaker.serving.router import FleetRoute, Router, VariantRoute
from local_aws.sagemaker.serving.server_process import ServerFailedError, ServerProcess

T = TypeVar("T")
log = logging.getLogger(__name__)


class FleetFailedError(Exception):
    """The fleet did not come up, or not to the asked size; the message is SageMaker's FailureReason."""


class _Variant:
    """A production variant while it runs."""

    def __init__(self, plan: VariantPlan) -> None:
        self.plan = plan
        limits = plan.serverless
        self.route = VariantRoute(
            plan.name,
            plan.weight,
            config=plan.config,
            most_at_once=limits.max_concurrency if limits else None,
            max_body=serverless.MAX_BODY if limits else None,
            capture=plan.capture,
        )
        self.worker: serverless.Worker | None = None
        self.servers: list[ServerProcess] = []
        self.artifact: Path | None = None


@dataclass(eq=False)
class Fleet:
    """The servers of one endpoint under one plan."""

    aws: LocalAws
    router: Router
    endpoint: str
    plans: Sequence[VariantPlan]
    folder: Path
    log_group: str

    def __post_init__(self) -> None:
        self._variants = {plan.name: _Variant(plan) for plan in self.plans}
        self._resizing = threading.Lock()

    def share(self, share: float) -> FleetRoute:
        """The fleet's route with this share of the endpoint's traffic."""
        seen, shadows = (
            [each.route for each in self._variants.values() if each.plan.shadow is shadow]
            for shadow in (False, True)
        )
        return FleetRoute(seen, share, shadows)

    def start(self) -> None:
        """Fetch the artifacts and bring up every server; returns when all are healthy.

        Raises FleetFailedError after everything that had come up is down again.
        """
        # Of a server that was killed; the artifacts beside them are good.
        for pattern in ("*/i-*", f"*/*{model_data.PARTIAL}"):
            for leftover in self.folder.glob(pattern):
                model_data.discard(leftover)
        try:
            for variant in self._variants.values():
                variant.artifact = self._fetch(variant.plan)
            for variant in self._variants.values():
                # A serverless variant's too: a model that does not load is told now, not to the first caller.
                self._grow(variant, variant.plan.instance_count)
                if variant.plan.serverless is not None:
                    self._let_sleep(variant)
        except FleetFailedError:
            self.stop()
            raise

    def scale(self, name: str, count: int) -> None:
        """Bring the variant to `count` servers.

        Growing returns when the new ones are healthy, shrinking when the superfluous ones have answered their
        last request and are gone. Raises FleetFailedError, with the variant as it was before.
        """
        variant = self._variants[name]
        with self._resizing:
            surplus = variant.servers[count:]
            if surplus:
                variant.servers = variant.servers[:count]
                _all(surplus, ServerProcess.stop)
            else:
                self._grow(variant, count - len(variant.servers))

    def reweight(self, name: str, weight: float) -> None:
        """Change the variant's share of the traffic."""
        self.router.reweight(self._variants[name].route, weight)

    def stop(self) -> None:
        """Stop all servers, each after its last request, and remove the fleet's folder."""
        for variant in self._variants.values():
            if variant.worker is not None:
                variant.worker.end()
        with self._resizing:
            servers = [server for variant in self._variants.values() for server in variant.servers]
            for variant in self._variants.values():
                variant.servers = []
            _all(servers, ServerProcess.stop)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _let_sleep(self, variant: _Variant) -> None:
        """Give the variant's server up while nobody asks, and bring it back for who does."""
        name = variant.plan.name
        worker = serverless.Worker(variant.route, lambda: self.scale(name, 1), lambda: self.scale(name, 0))
        variant.worker, variant.route.wake = worker, worker.wake
        self.aws.spawn(worker.watch, f"idle {self.endpoint}/{name}")

    def _grow(self, variant: _Variant, count: int) -> None:
        if variant.plan.container is None:
            return  # its inference components have fleets of their own
        fresh = [self._server(variant) for _ in range(count)]
        failures = [failure for failure in _all(fresh, _attempt) if failure is not None]
        if failures:
            _all(fresh, ServerProcess.stop)
            raise FleetFailedError(str(failures[0]))
        variant.servers.extend(fresh)

    def _server(self, variant: _Variant) -> ServerProcess:
        return ServerProcess(
            self.aws,
            self.router,
            variant.plan,
            variant.route,
            folder=self.folder / variant.plan.name,
            artifact=variant.artifact,
            log_group=self.log_group,
        )

    def _fetch(self, plan: VariantPlan) -> Path | None:
        """The variant's artifact, downloaded with the model role's credentials unless it is here."""
        if plan.container is None or plan.container.model_data_url is None:
            return None
        url = plan.container.model_data_url
        target = self.folder / plan.name / ("model.tar.gz" if plan.container.archive else "artifact")
        if target.exists():
            return target
        try:
            model_data.fetch(
                lambda: self.aws.client("s3", plan.role_arn, "SageMaker"),
                url,
                target,
                archive=plan.container.archive,
            )
        except model_data.ModelDataError as error:
            raise FleetFailedError(
                f'Failed to download model data for container "container_1" from URL: "{url}". Please ensure '
                "that there is an object located at the URL and that the role passed to CreateModel has "
                f"permissions to download the object. ({error})"
            ) from error
        return target


def _attempt(server: ServerProcess) -> Exception | None:
    try:
        server.start()
    except Exception as error:  # whatever it is, the other servers have to be stopped
        if not isinstance(error, ServerFailedError):
            log.exception("server %s could not be started", server.instance_id)
        return error
    return None


def _all(servers: Sequence[ServerProcess], do: Callable[[ServerProcess], T]) -> list[T]:
    """The same for every server at once, each with this thread's account and region."""
    if not servers:
        return []
    with ThreadPoolExecutor(len(servers)) as pool:
        futures = [pool.submit(contextvars.copy_context().run, do, server) for server in servers]
    return [future.result() for future in futures]
