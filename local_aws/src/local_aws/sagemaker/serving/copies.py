"""Copies of requests for shadow variants: sent when the client has its answer, and seen by nobody.

"A shadow variant that receives a percentage of the incoming requests, replicated from the production variant,
but does not return any responses."
https://docs.aws.amazon.com/sagemaker/latest/dg/shadow-tests-create.html

A shadow that is slower than its traffic gets fewer copies, rather than fill the memory of this machine.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from local_aws.sagemaker.serving.router import Lease, NoServerError, Router, VariantRoute
from local_aws.sagemaker.serving.traffic_metrics import TrafficMetrics
from local_aws.sagemaker.serving.upstream import Answer

MOST_WAITING = 32
MOST_WAITING_BYTES = 64 * 2**20
# The client's answer leaves in the turns of the event loop before it.
PAUSE_SECONDS = 0.002


@dataclass(frozen=True)
class Request:
    """What a client asked, as far as a copy of it needs."""

    route: str
    """The endpoint's name to the router."""
    headers: dict[str, str]
    body: bytes


class Copies:
    """The copies of all endpoints' requests that are on their way."""

    def __init__(
        self,
        router: Router,
        metrics: TrafficMetrics,
        ask: Callable[[Lease, dict[str, str], bytes], Awaitable[Answer]],
        keep: Callable[[Lease, Request, Answer], None],
    ) -> None:
        """Args:
        ask: sends a request to the server of a lease.
        keep: captures what a shadow answered well.
        """
        self._router, self._metrics, self._ask, self._keep = router, metrics, ask, keep
        self._tasks: set[asyncio.Task[None]] = set()
        self._bytes = 0

    def send(self, answered: Lease, request: Request) -> None:
        """Send copies of a request that was answered to its fleet's shadow variants; returns at once."""
        if not answered.shadows:
            return
        for shadow in self._router.shadows(answered):
            if len(self._tasks) >= MOST_WAITING or self._bytes + len(request.body) > MOST_WAITING_BYTES:
                return
            self._bytes += len(request.body)
            task = asyncio.get_running_loop().create_task(self._send(shadow, request))
            self._tasks.add(task)  # the loop itself holds tasks weakly
            task.add_done_callback(self._tasks.discard)

    async def _send(self, shadow: VariantRoute, request: Request) -> None:
        try:
            await asyncio.sleep(PAUSE_SECONDS)
            with self._router.lease_for_copy(shadow) as lease:
                began = time.perf_counter()
                answer = await self._ask(lease, request.headers, request.body)
                model = time.perf_counter() - began
        except NoServerError:
            return
        finally:
            self._bytes -= len(request.body)
        variant = request.route, shadow.name, shadow.config
        self._metrics.record(variant, lease.servers, answer.status, model, 0.0)
        if answer.status == HTTPStatus.OK:
            self._keep(lease, request, answer)
