"""What is measured of a running server: its answers, its times alone and among many, how it bears a load."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

from benchmarks.harness import ROOT
from benchmarks.serving_load import Measured, closed_loop, median_of, open_loop
from benchmarks.serving_running import Running
from benchmarks.serving_systems import System

Picture = tuple[str, str, bytes]
"""Split, class and content."""

WINDOWS, TURNS = 3, 7
CLIENTS, SIDE = 16, 224
SETTLE_SECONDS = 1.0
SOAK_SETTLED, SOAK_CLIENTS = 2_000, 64
OVERLOAD, OVERLOAD_SECONDS, OVERLOAD_CONNECTIONS = 4, 10.0, 400


def measured(server: Running, pictures: Sequence[Picture], seconds: float) -> dict[str, Any]:
    """Every picture once, then windows of one client and of sixteen: a row's figures."""
    return uvloop.run(_measured(server, pictures, seconds))


def in_turns(
    systems: Sequence[System], model: Path, pictures: Sequence[Picture], seconds: float
) -> dict[str, Any]:
    """Two servers of one model, both up, that take windows in turns.

    A machine that is slower for a while is so for both: the medians of the ratios of neighbouring windows.

    Returns:
        `p50_vs_<second>`, `throughput_vs_<second>` and the least and the largest of the latter's ratios; and
        what part the first's throughput is of that of its network alone.
    """
    print(f"{systems[0].name} and {systems[1].name} in turns ...", flush=True)
    with contextlib.ExitStack() as stack:
        servers = []
        for system in systems:
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = stack.enter_context(Running(system, model, scratch))
            server.wait(pictures[0][2])
            servers.append(server)
        p50, throughput, per_second = uvloop.run(_in_turns(servers, _bodies(pictures), seconds))
    name, limit = systems[1].name, network_alone(model, seconds)
    return {
        f"p50_vs_{name}": statistics.median(p50),
        f"throughput_vs_{name}": statistics.median(throughput),
        f"throughput_vs_{name}_range": f"{min(throughput):.2f} to {max(throughput):.2f}",
        "network_alone_per_second": limit,
        "fraction_of_network_limit": statistics.median(per_second) / limit,
    }


def under_load(
    server: Running, pictures: Sequence[Picture], capacity: float, requests: int
) -> dict[str, Any]:
    """The soak and the overload, on one server that answers `capacity` requests a second."""
    bodies = _bodies(pictures)
    server.wait(bodies[0])
    soaked = uvloop.run(_soaked(server, bodies, requests))
    return soaked | uvloop.run(_overloaded(server, bodies, OVERLOAD * capacity))


def network_alone(model: Path, seconds: float) -> float:
    """Squares a second that our form of the network computes where nothing is received, decoded or answered.

    No server of this model on these cores can answer more requests a second.
    """
    sys.path.insert(0, str(ROOT / "inference_code"))
    import inference

    classifier = inference.model_fn(str(model))
    square = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 4), np.uint8)
    end = time.perf_counter() + seconds

    def ask(_: int) -> int:
        answered = 0
        while time.perf_counter() < end:
            classifier.probabilities(square, alone=False)
            answered += 1
        return answered

    with ThreadPoolExecutor(CLIENTS) as clients:
        return sum(clients.map(ask, range(CLIENTS))) / seconds


def _bodies(pictures: Sequence[Picture]) -> list[bytes]:
    return [content for split, _, content in pictures if split == "test"]


async def _measured(server: Running, pictures: Sequence[Picture], seconds: float) -> dict[str, Any]:
    answers = [await server.classify(content) for _, _, content in pictures]
    right = [
        answer == label
        for (split, label, _), answer in zip(pictures, answers, strict=True)
        if split == "test"
    ]
    bodies = _bodies(pictures)
    await closed_loop(server.target, bodies, 4, seconds=SETTLE_SECONDS)
    mark = server.log_position()
    alone = [await closed_loop(server.target, bodies, 1, seconds=seconds) for _ in range(WINDOWS)]
    # The line of a request of before may come behind the mark: a line is written after the answer.
    asked = sum(len(window.accepted) for window in alone)
    inside = server.inside(mark)[-asked:]
    outside = [each * 1000 for window in alone for each in window.accepted]
    many = [await closed_loop(server.target, bodies, CLIENTS, seconds=seconds) for _ in range(WINDOWS)]
    return {
        "answers": answers,
        "accuracy": sum(right) / len(right),
        "overhead_ms": statistics.median(o - i for o, i in zip(outside, inside, strict=True))
        if inside
        else None,
        "errors": sum(window.errors for window in alone + many),
        **_figures(alone, 1),
        **_figures(many, CLIENTS),
    }


def _figures(windows: Sequence[Measured], clients: int) -> dict[str, float]:
    return {
        f"p50_{clients}": median_of(windows, 50),
        f"p99_{clients}": median_of(windows, 99),
        f"rps_{clients}": statistics.median(window.per_second for window in windows),
    }


async def _in_turns(
    servers: Sequence[Running], bodies: Sequence[bytes], seconds: float
) -> tuple[list[float], list[float], list[float]]:
    """By turn: how many times as long the second takes for a request of one client, how many times as many
    the first answers of sixteen clients, and how many that is a second."""
    for server in servers:
        await closed_loop(server.target, bodies, 4, seconds=SETTLE_SECONDS)
    p50, throughput, per_second = [], [], []
    for _ in range(TURNS):
        mine, its = [await closed_loop(server.target, bodies, 1, seconds=seconds) for server in servers]
        p50.append(its.milliseconds(50) / mine.milliseconds(50))
        mine, its = [await closed_loop(server.target, bodies, CLIENTS, seconds=seconds) for server in servers]
        throughput.append(mine.per_second / its.per_second)
        per_second.append(mine.per_second)
    return p50, throughput, per_second


async def _soaked(server: Running, bodies: Sequence[bytes], requests: int) -> dict[str, Any]:
    print(f"soak: {requests} requests from {SOAK_CLIENTS} clients ...", flush=True)
    settling = await closed_loop(server.target, bodies, SOAK_CLIENTS, requests=min(SOAK_SETTLED, requests))
    settled = server.memory_mb()
    work = asyncio.create_task(
        closed_loop(server.target, bodies, SOAK_CLIENTS, requests=max(1, requests - SOAK_SETTLED))
    )
    seen = [settled]
    while not work.done():
        await asyncio.wait([work], timeout=5)
        seen.append(server.memory_mb())
    soak = work.result()
    return {
        "soak_requests": settling.statuses.total() + soak.statuses.total(),
        "soak_errors": settling.errors + soak.errors,
        "soak_per_second": soak.per_second,
        "soak_p99_ms": soak.milliseconds(99),
        "soak_memory_mb_after_2000": settled,
        "soak_memory_mb_at_end": seen[-1],
        "soak_memory_mb_most": max(seen),
    }


async def _overloaded(server: Running, bodies: Sequence[bytes], rate: float) -> dict[str, Any]:
    print(f"overload: {rate:.0f} requests a second for {OVERLOAD_SECONDS:.0f} s ...", flush=True)
    load = await open_loop(server.target, bodies, rate, OVERLOAD_SECONDS, OVERLOAD_CONNECTIONS)
    after = await closed_loop(server.target, bodies, 1, requests=20)
    other = load.beside(200, 429, 503)
    return {
        "overload_sent_per_second": (load.statuses.total() + load.failures.total()) / load.seconds,
        "overload_accepted_per_second": load.per_second,
        "overload_shed": load.statuses[503] + load.statuses[429],
        "overload_other": sum(other.values()),
        "overload_other_kinds": other,
        "overload_accepted_p99_ms": load.milliseconds(99),
        "overload_p50_ms_of_the_next_20": after.milliseconds(50),
        "overload_errors_of_the_next_20": after.errors,
    }
