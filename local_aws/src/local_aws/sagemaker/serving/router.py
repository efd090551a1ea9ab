"""Which server process gets the next request.

An endpoint's route is a list of fleets with their shares of the traffic: two while a new one takes over. In a
fleet the variants share by weight, in a variant the least loaded server wins. A request holds its server
(`Router.lease`), so that one taken out of the route can be waited for until it is idle. A fleet's shadow
variants are chosen for no request, only for the copy of one (`Router.lease_for_copy`).
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from local_aws.sagemaker.serving.data_capture import CaptureRule
from local_aws.sagemaker.serving.upstream import Connections

T = TypeVar("T")


class EndpointNotFoundError(Exception):
    """No endpoint of this name takes requests."""


class VariantNotFoundError(Exception):
    """The endpoint has no variant of the name the request targets."""


class NoServerError(Exception):
    """All servers of the variant are down at this moment."""


class TooManyRequestsError(Exception):
    """The variant answers as many requests as it may at a time."""


class Server:
    """A server process as the router sees it: an address and the requests it is busy with."""

    def __init__(self, port: int, instance_id: str) -> None:
        self.instance_id = instance_id
        self.connections = Connections("127.0.0.1", port)
        self.in_flight = 0


@dataclass(eq=False)
class VariantRoute:
    """The servers of one production variant that are healthy now."""

    name: str
    weight: float
    config: str = ""
    """The endpoint configuration it is of; empty for an inference component."""
    most_at_once: int | None = None
    """How many requests it may answer at a time, if that is limited."""
    max_body: int | None = None
    """Bytes of a request's body, if its limit is below that of all endpoints."""
    capture: CaptureRule | None = None
    """What of its requests is kept in S3."""
    servers: list[Server] = field(default_factory=list)
    wake: Callable[[], None] | None = None
    """Brings up a server; only for a variant that may have none while it is well."""
    used: float = field(default_factory=time.monotonic)
    """When it last answered a request."""

    @property
    def in_flight(self) -> int:
        """The requests all its servers are busy with."""
        return sum(server.in_flight for server in self.servers)


@dataclass(frozen=True)
class FleetRoute:
    """The variants of one deployment of an endpoint, and its share of the traffic (0 to 1)."""

    variants: Sequence[VariantRoute]
    share: float = 1.0
    shadows: Sequence[VariantRoute] = ()
    """They get copies of the fleet's requests."""


@dataclass(frozen=True)
class Lease:
    """A request's hold on its server."""

    variant: str
    server: Server
    servers: int
    """How many servers the variant has now."""
    route: VariantRoute
    shadows: Sequence[VariantRoute] = ()
    """Of the fleet that the request went to."""


class Router:
    """The routes of all endpoints."""

    def __init__(self, pick: Callable[[], float] = random.random) -> None:
        self._pick = pick
        self._routes: dict[str, Sequence[FleetRoute]] = {}
        self._lock = threading.Lock()
        self._idle = threading.Condition(self._lock)

    def publish(self, endpoint: str, fleets: Sequence[FleetRoute]) -> None:
        """Send the endpoint's next requests to these fleets by their shares."""
        with self._lock:
            self._routes[endpoint] = tuple(fleets)

    def withdraw(self, endpoint: str) -> None:
        """Take no more requests for this endpoint."""
        with self._lock:
            self._routes.pop(endpoint, None)

    def add(self, variant: VariantRoute, server: Server) -> None:
        """Let a healthy server take part."""
        with self._lock:
            variant.servers.append(server)

    def remove(self, variant: VariantRoute, server: Server) -> None:
        """Give this server no further request."""
        with self._lock:
            if server in variant.servers:
                variant.servers.remove(server)

    def reweight(self, variant: VariantRoute, weight: float) -> None:
        """Change the variant's share of its fleet's traffic."""
        with self._lock:
            variant.weight = weight

    def drain(self, server: Server, seconds: float) -> bool:
        """Wait until the server has no request in flight, at most `seconds`; whether it is idle."""
        deadline = time.monotonic() + seconds
        with self._idle:
            while server.in_flight:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                self._idle.wait(left)
        return True

    @contextmanager
    def lease(self, endpoint: str, target: str | None = None) -> Iterator[Lease]:
        """Choose a server and hold it for one request.

        Raises EndpointNotFoundError, VariantNotFoundError (no variant `target`), NoServerError,
        TooManyRequestsError.
        """
        with self._lock:
            lease = self._choose(endpoint, target)
            lease.server.in_flight += 1
        with self._held(lease):
            yield lease

    @contextmanager
    def lease_for_copy(self, shadow: VariantRoute) -> Iterator[Lease]:
        """Hold a server of a shadow variant for the copy of a request that was answered.

        Raises NoServerError.
        """
        with self._lock:
            if not shadow.servers:
                raise NoServerError(shadow.name)
            lease = _on_least_loaded(shadow, ())
            lease.server.in_flight += 1
        with self._held(lease):
            yield lease

    def shadows(self, answered: Lease) -> list[VariantRoute]:
        """The shadow variants that a request, which was answered, is copied to.

        The share of the requests is the shadow's weight beside the production variant's.
        """
        weight = answered.route.weight
        return [each for each in answered.shadows if self._pick() * weight < each.weight]

    @contextmanager
    def _held(self, lease: Lease) -> Iterator[None]:
        try:
            yield
        finally:
            with self._idle:
                lease.server.in_flight -= 1
                lease.route.used = time.monotonic()
                self._idle.notify_all()

    def asleep(self, endpoint: str) -> VariantRoute | None:
        """A variant of the endpoint that has no server and can bring one up."""
        with self._lock:
            for fleet in self._routes.get(endpoint, ()):
                for variant in fleet.variants:
                    if fleet.share > 0 and not variant.servers and variant.wake is not None:
                        return variant
        return None

    def loads(self) -> list[tuple[str, str, list[int]]]:
        """Per endpoint and variant, the requests in flight on each of its servers."""
        with self._lock:
            merged: dict[tuple[str, str], list[int]] = {}
            for endpoint, fleets in self._routes.items():
                for fleet in fleets:
                    for variant in (*fleet.variants, *fleet.shadows):
                        loads = merged.setdefault((endpoint, variant.name), [])
                        if fleet.share > 0:
                            loads.extend(server.in_flight for server in variant.servers)
        return [(endpoint, variant, loads) for (endpoint, variant), loads in merged.items()]

    def _choose(self, endpoint: str, target: str | None) -> Lease:
        fleets = self._routes.get(endpoint)
        if fleets is None:
            raise EndpointNotFoundError(endpoint)
        fleet = _weighted([(fleet, fleet.share) for fleet in fleets], self._pick)
        if target is None:
            up = [(variant, variant.weight) for variant in fleet.variants if variant.servers]
            variant = _weighted(up, self._pick) if up else None
        else:
            variant = next((variant for variant in fleet.variants if variant.name == target), None)
            if variant is None:
                raise VariantNotFoundError(target)
        if variant is None or not variant.servers:
            raise NoServerError(endpoint)
        if variant.most_at_once is not None and variant.in_flight >= variant.most_at_once:
            raise TooManyRequestsError(variant.name)
        return _on_least_loaded(variant, fleet.shadows)


def _on_least_loaded(variant: VariantRoute, shadows: Sequence[VariantRoute]) -> Lease:
    server = min(variant.servers, key=lambda server: server.in_flight)
    if server.in_flight == 0:  # take the idle ones in turn, so that all of them stay warm
        variant.servers.remove(server)
        variant.servers.append(server)
    return Lease(variant.name, server, len(variant.servers), variant, shadows)


def _weighted(choices: list[tuple[T, float]], pick: Callable[[], float]) -> T:
    """One of the choices with probability proportional to its weight; evenly if all weights are zero."""
    total = sum(weight for _, weight in choices)
    if total <= 0:
        return choices[int(pick() * len(choices))][0]
    mark = pick() * total
    for choice, weight in choices:
        mark -= weight
        if mark < 0:
            return choice
    return choices[-1][0]
