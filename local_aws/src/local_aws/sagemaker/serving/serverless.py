"""Serverless variants: no server while nobody asks, one from the first request until it was idle for a while.

AWS gives each request at a time a worker of its own; here one process takes up to MaxConcurrency of them, and
one more is told to slow down as on AWS. The limits on body and time are AWS's, and so is what cannot be had
with a serverless variant. MemorySizeInMB is checked and shown, and not enforced.
https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local_aws.core.errors import ValidationException
from local_aws.sagemaker.serving.router import VariantRoute

MAX_BODY = 4 * 2**20
MOST_CONCURRENCY = 200
MEMORY_SIZES = tuple(range(1024, 6145, 1024))
# AWS does not say after which time a worker goes; observed are some minutes.
IDLE_SECONDS = 120.0
_LOOK_SECONDS = 1.0
# Members of a variant that are about instances.
_ABOUT_INSTANCES = (
    "InstanceType",
    "InitialInstanceCount",
    "ManagedInstanceScaling",
    "RoutingConfig",
    "VolumeSizeInGB",
    "InferenceAmiVersion",
    "ContainerStartupHealthCheckTimeoutInSeconds",
)


@dataclass(frozen=True)
class Serverless:
    """The size of a serverless variant."""

    memory_mb: int
    max_concurrency: int

    def describe(self) -> dict[str, int]:
        """In the form of a ServerlessConfig."""
        return {"MemorySizeInMB": self.memory_mb, "MaxConcurrency": self.max_concurrency}


def of_variant(variant: Mapping[str, Any]) -> Serverless | None:
    """The serverless configuration of a production variant, if it has one."""
    config = variant.get("ServerlessConfig")
    return config and Serverless(config["MemorySizeInMB"], config["MaxConcurrency"])


def check(variant: Mapping[str, Any], variants: int, model: Mapping[str, Any]) -> None:
    """Raise ValidationException for what AWS does not take of a serverless variant."""
    name, config = variant["VariantName"], variant["ServerlessConfig"]
    about = [member for member in _ABOUT_INSTANCES if member in variant]
    if about:
        raise ValidationException(
            f"Variant {name} has a ServerlessConfig and cannot have {', '.join(about)}."
        )
    if variants > 1:
        raise ValidationException("A serverless endpoint has one production variant.")
    if config["MemorySizeInMB"] not in MEMORY_SIZES:
        raise ValidationException(
            f"MemorySizeInMB {config['MemorySizeInMB']} is not one of {', '.join(map(str, MEMORY_SIZES))}."
        )
    if config["MaxConcurrency"] > MOST_CONCURRENCY:
        raise ValidationException(f"MaxConcurrency must be at most {MOST_CONCURRENCY}.")
    if "ProvisionedConcurrency" in config:
        raise ValidationException("The local AWS has no provisioned concurrency; leave it out here.")
    if model.get("EnableNetworkIsolation") or model.get("VpcConfig"):
        raise ValidationException(
            f"Network isolation and VPC configuration are not supported by the serverless variant {name}."
        )


class Worker:
    """What starts the one server of a serverless variant at need, and stops it when it was idle."""

    def __init__(self, route: VariantRoute, start: Callable[[], None], stop: Callable[[], None]) -> None:
        self._route = route
        self._start = start
        self._stop = stop
        self._changing = threading.Lock()
        self._ended = threading.Event()

    def wake(self) -> None:
        """Returns when a server takes requests; of many who call at once the first one starts it."""
        with self._changing:
            if not self._route.servers and not self._ended.is_set():
                self._start()
                self._route.used = time.monotonic()

    def watch(self) -> None:
        """Stop the server whenever it was idle for long; ends with `end`."""
        while not self._ended.wait(_LOOK_SECONDS):
            with self._changing:
                idle = time.monotonic() - self._route.used > IDLE_SECONDS
                if idle and self._route.servers and not self._route.in_flight:
                    self._stop()

    def end(self) -> None:
        """Start and stop nothing any more."""
        self._ended.set()
