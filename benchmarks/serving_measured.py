"""What is measured of a running server: its answers, its times alone and among many, how it bears a load."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import uvloop

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
    systems: Sequence[System],
    model: Path,
    pictures: Sequence[Picture],
    seconds: float,
    its: Path | None = None,
) -> dict[str, Any]:
    """Two servers of one model, both up, and the first's work without HTTP, that take windows in turns.

    A machine that is slower for a while is so for all: the medians of the ratios of neighbouring windows.

    Args:
        its: the second's model, where it has another.

    Returns:
        `p50_vs_<second>`, `throughput_vs_<second>` and the least and the largest of the latter's ratios; what
        the first's network alone and SageMaker's functions alone answer a second (see `_alone`), what part of
        that the first answers, and how many times the second's throughput the functions alone would be.
    """
    print(f"{systems[0].name} and {systems[1].name} in turns ...", flush=True)
    bodies = _bodies(pictures)
    with contextlib.ExitStack() as stack:
        servers = []
        for system, served in zip(systems, (model, its or model), strict=True):
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            server = stack.enter_context(Running(system, served, scratch))
            server.wait(pictures[0][2])
            servers.append(server)
        turns = uvloop.run(_in_turns(servers, bodies, seconds, _alone(model, bodies)))
    name, throughput = systems[1].name, [turn.mine / turn.its for turn in turns]
    return {
        f"p50_vs_{name}": statistics.median(turn.p50 for turn in turns),
        f"throughput_vs_{name}": statistics.median(throughput),
        f"throughput_vs_{name}_range": f"{min(throughput):.2f} to {max(throughput):.2f}",
        "network_alone_per_second": statistics.median(turn.network for turn in turns),
        "fraction_of_network_limit": statistics.median(turn.mine / turn.network for turn in turns),
        "functions_alone_per_second": statistics.median(turn.functions for turn in turns),
        "fraction_of_functions_alone": statistics.median(turn.mine / turn.functions for turn in turns),
        f"functions_alone_vs_{name}": statistics.median(turn.functions / turn.its for turn in turns),
    }


def under_load(
    server: Running, pictures: Sequence[Picture], capacity: float, requests: int
) -> dict[str, Any]:
    """The soak and the overload, on one server that answers `capacity` requests a second."""
    bodies = _bodies(pictures)
    server.wait(bodies[0])
    soaked = uvloop.run(_soaked(server, bodies, requests))
    return soaked | uvloop.run(_overloaded(server, bodies, OVERLOAD * capacity))


Alone = Callable[[str, float], float]


def _alone(model: Path, bodies: Sequence[bytes]) -> Alone:
    """What our form of the model answers a second where nothing is received or sent.

    No server of this model on these cores can answer more.

    Returns:
        A function of `network` (squares, nothing decoded) or `functions` (SageMaker's, from the bytes of a
        picture to an answer) and of how many seconds to try.
    """
    from inference_code import inference

    classifier = inference.model_fn(str(model))
    square = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 4), np.uint8)
    cores = len(os.sched_getaffinity(0))

    def network(_: bytes, done: Callable[[], None]) -> None:
        classifier.network(square, False).add_done_callback(lambda _: done())

    def functions(body: bytes, done: Callable[[], None]) -> None:
        query = inference.input_fn(body, "image/jpeg")

        def finish(scores: Future[Any]) -> None:
            inference.output_fn(classifier.prediction(query, scores.result()), inference.JSON)
            done()

        classifier.scores(query).add_done_callback(finish)

    def per_second(what: str, seconds: float) -> float:
        begin = {"network": network, "functions": functions}[what]
        numbers, places = itertools.count(), threading.Semaphore(CLIENTS)
        start = time.perf_counter()

        def work() -> int:
            begun = 0
            while time.perf_counter() < start + seconds:
                places.acquire()
                begin(bodies[next(numbers) % len(bodies)], places.release)
                begun += 1
            return begun

        with ThreadPoolExecutor(cores) as threads:
            begun = sum(each.result() for each in [threads.submit(work) for _ in range(cores)])
        for _ in range(CLIENTS):  # until all are answered
            places.acquire()
        return begun / (time.perf_counter() - start)

    return per_second


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


@dataclass(frozen=True)
class Turn:
    """Neighbouring windows: how many times as long the second takes for a request of one client, and what is
    answered a second: by both for sixteen clients, by the network and by the functions alone.
    """

    p50: float
    mine: float
    its: float
    network: float
    functions: float


async def _in_turns(
    servers: Sequence[Running], bodies: Sequence[bytes], seconds: float, alone: Alone
) -> list[Turn]:
    for server in servers:
        await closed_loop(server.target, bodies, 4, seconds=SETTLE_SECONDS)
    turns = []
    for _ in range(TURNS):
        mine, its = [await closed_loop(server.target, bodies, 1, seconds=seconds) for server in servers]
        p50 = its.milliseconds(50) / mine.milliseconds(50)
        mine, its = [await closed_loop(server.target, bodies, CLIENTS, seconds=seconds) for server in servers]
        limits = [alone(what, seconds / 2) for what in ("network", "functions")]
        turns.append(Turn(p50, mine.per_second, its.per_second, *limits))
    return turns


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
