"""All rooms put together: our services and resource types inside ministack, started and stopped in order."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import urllib.error

from local_aws import authorisation, autoscaling, cloudformation, front, quotas, sagemaker
from local_aws.cloudformation.stack import Stack
from local_aws.core import process
from local_aws.core.context import LocalAws
from local_aws.core.proxies import DIRECT
from local_aws.ministack_adapter import (
    authentication,
    builds,
    durable,
    function_logs,
    layers,
    managed_policies,
    patches,
    payloads,
    request_checks,
    routes,
    services,
    stack_events,
    stack_recovery,
    stack_requests,
    stacks,
    xml_values,
)
from local_aws.ministack_adapter.deliveries import Deliveries
from local_aws.ministack_adapter.journal import Journal
from local_aws.ministack_adapter.snapshots import Snapshots

log = logging.getLogger(__name__)
# By which requests to our services are signed.
_NAMES = ("sagemaker", "application-autoscaling", "servicequotas")


class Services:
    """The services of the local AWS, ready to be served as one ASGI application."""

    def __init__(self, aws: LocalAws, port: int) -> None:
        self._aws, self._port = aws, port
        self._ready = threading.Event()
        self._snapshots = Snapshots()
        self._services = [sagemaker.service(aws), autoscaling.service(aws), quotas.service(aws)]
        checks = (
            authorisation.sagemaker,
            authorisation.application_autoscaling,
            authorisation.service_quotas,
        )
        for name, service, check in zip(_NAMES, self._services, checks, strict=True):
            service.authorise = check(aws)
            services.register(name, service.handle)
        stack = Stack(aws, role=lambda: stacks.current().role_arn, announce=stacks.announce)
        self._journal = Journal(aws.store)
        stacks.install(self._journal, self._snapshots.commit)
        stack_events.install(self._announce_stack)
        stack_requests.install(self._ready.is_set)
        cloudformation.install(stack, stacks.register_resource)
        patches.install(aws)
        builds.install(aws)
        layers.install()
        self._deliveries = Deliveries(aws.store, self._snapshots)
        self._deliveries.install()
        durable.install(self._snapshots, stack_events.ended)
        for module in (authentication, managed_policies, request_checks, payloads, function_logs, xml_values):
            module.install()
        behind = services.application(self._ready.is_set, self._snapshots.touch)
        self.application = front.guard(
            front.Behind(behind, routes.place, authentication.key, authentication.answer), port
        )

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take up what a former server left, then be ready. Must run beside the event loop."""
        _until_open(self._port)
        for service in self._services:
            service.start()
        self._snapshots.start()
        loop.call_soon_threadsafe(self._recover_stacks)
        self._ready.set()
        self._aws.deliver_events()
        self._deliveries.resume()

    def stop(self) -> None:
        """Stop jobs and endpoints; clients get 503 from now on."""
        self._ready.clear()
        for service in self._services:
            service.stop()
        process.end()

    def save(self) -> None:
        """Bring everything to disk for the last time."""
        self._snapshots.stop()

    def _recover_stacks(self) -> None:
        stack_events.tell_again()
        for name in stack_recovery.recover(self._journal):
            log.warning("stack %s was busy when the local AWS was stopped; it is rolled back now", name)

    def _announce_stack(self, stack_id: str, status: str, reason: str) -> None:
        details = {"status": status, "status-reason": reason}
        detail = {"stack-id": stack_id, "status-details": details, "client-request-token": ""}
        self._aws.emit("CloudFormation Stack Status Change", detail, [stack_id], source="aws.cloudformation")
        self._snapshots.touch()


def _until_open(port: int) -> None:
    """Return when the server answers at all; it does so within moments of being asked to start."""
    for _attempt in range(600):
        try:
            DIRECT.open(f"http://127.0.0.1:{port}/_ministack/health", timeout=5).close()
            return
        except urllib.error.HTTPError:
            return  # "starting": it answers
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"nothing answers on port {port}")
