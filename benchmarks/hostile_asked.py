"""What a place answers to hostile bodies, shapes of requests and strangers, each as a row of the result."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

from benchmarks.hostile_http import Answered, Crowd, Place, Shape, send, shapes
from benchmarks.hostile_intruders import intruders
from benchmarks.hostile_pictures import Case
from benchmarks.serving_load import Connection
from benchmarks.serving_load import Target as Served
from cli.target import Target

CROWD = 100
Row = dict[str, Any]


def row(
    system: str, tried: int, faults: list[str], escapes: list[str], worst_ms: float | None, what: str
) -> Row:
    for fault in faults[:10]:
        print(f"{system}: {fault}", flush=True)
    for escape in escapes[:10]:
        print(f"{system}: OUT: {escape}", flush=True)
    worst = None if worst_ms is None else round(worst_ms, 1)
    counted = {"tried": tried, "server_errors": len(faults), "escapes": len(escapes)}
    return {"system": system, **counted, "worst_ms": worst, "answers": what}


async def sent(place: Place, cases: list[Case], at_once: int) -> list[Answered]:
    """What each body was answered, on connections that are kept."""
    answers: list[Answered | None] = [None] * len(cases)
    todo = iter(enumerate(cases))

    async def client() -> None:
        connection = Connection(Served(place.port, place.path))
        for number, case in todo:
            head = place.head(length=len(case.body))
            answers[number] = await _asked(connection, head + case.body)
        connection.close()

    await asyncio.gather(*(client() for _ in range(at_once)))
    return [answer for answer in answers if answer is not None]


async def _asked(connection: Connection, request: bytes) -> Answered:
    began = time.perf_counter()
    try:
        status, text = await asyncio.wait_for(connection.send(request), 60)
    except (OSError, EOFError, TimeoutError) as error:
        return Answered(599, time.perf_counter() - began, type(error).__name__.encode())
    return Answered(status, time.perf_counter() - began, text)


def judged(system: str, cases: list[Case], answers: list[Answered]) -> Row:
    """A body may be answered 200 or 400, sound or not; nobody is to be told that the server failed."""
    pairs = list(zip(cases, answers, strict=True))
    faults = [
        f"{case.name}: {answer.status} {answer.text[:200]!r}" for case, answer in pairs if answer.is_fault
    ]
    slowest = max(pairs, key=lambda pair: pair[1].seconds)
    print(f"{system}: slowest {slowest[0].name}, {slowest[1].seconds * 1000:.0f} ms", flush=True)
    return row(system, len(pairs), faults, [], slowest[1].seconds * 1000, _statuses(answers))


def _statuses(answers: Iterable[Answered]) -> str:
    counted = Counter(str(answer.status or "closed") for answer in answers)
    return ", ".join(f"{status}: {count}" for status, count in sorted(counted.items()))


async def misused(place: Place) -> Row:
    """All shapes, and after each one a sound request, which has to be answered."""
    faults, escapes, answers = [], [], []
    worst = 0.0
    for shape in shapes(place):
        answer = await send(place, shape)
        answers.append(answer)
        if answer.is_fault:
            faults.append(f"{shape.name}: {answer.status} {answer.text[:100]!r}")
        if shape.refused and not shape.waits and answer.status == 200:
            escapes.append(f"{shape.name}: answered 200")
        after = await _sound(place)
        if after.status != 200:
            faults.append(f"after {shape.name}: a sound request got {after.status}")
        own = 0.0 if shape.waits else answer.seconds
        worst = max(worst, own, after.seconds)
    return row(f"{place.name}: http", len(answers), faults, escapes, worst * 1000, _statuses(answers))


async def _sound(place: Place) -> Answered:
    """The answer to a sound request, which comes again as it is told when there were too many a second."""
    for _ in range(10):
        answer = await send(place, Shape("sound", (place.head() + place.body,)))
        if answer.status != 429:
            break
        await asyncio.sleep(0.5)
    return answer


async def crowded(place: Place) -> Row:
    """What sound requests are answered while many senders hold connections and send next to nothing."""
    async with Crowd(place, CROWD):
        answers = [await _sound(place) for _ in range(100)]
    faults = [f"a sound request got {answer.status}" for answer in answers if answer.status != 200]
    worst = max(answer.seconds for answer in answers) * 1000
    return row(
        f"{place.name}: beside {CROWD} slow senders", len(answers), faults, [], worst, _statuses(answers)
    )


async def misused_unsigned(target: Target) -> Row:
    """The shapes, sent to the local AWS itself: none is signed, so that none may be answered 200."""
    place = _local_aws(target, "POST", b"Action=ListUsers&Version=2010-05-08")
    faults, escapes, answers = [], [], []
    worst = 0.0
    for shape in shapes(place):
        answer = await send(place, shape)
        answers.append(answer)
        if answer.is_fault:
            faults.append(f"{shape.name}: {answer.status} {answer.text[:100]!r}")
        if shape.refused and answer.status == 200:
            escapes.append(f"{shape.name}: answered 200")
        worst = max(worst, 0.0 if shape.waits else answer.seconds)
        target.client("sts").get_caller_identity()
    return row("local AWS: http", len(answers), faults, escapes, worst * 1000, _statuses(answers))


async def intruded(target: Target) -> Row:
    place = _local_aws(target, "GET", b"")
    faults, escapes, answers = [], [], []
    for name, request in intruders(target.port):
        answer = await send(place, Shape(name, (request,)))
        answers.append(answer)
        if answer.is_fault:
            faults.append(f"{name}: {answer.status}")
        if answer.status is not None and answer.status < 400:
            escapes.append(f"{name}: answered {answer.status}")
    target.client("sts").get_caller_identity()  # it is there still
    worst = max(answer.seconds for answer in answers) * 1000
    return row("local AWS: intruders", len(answers), faults, escapes, worst, _statuses(answers))


def _local_aws(target: Target, method: str, body: bytes) -> Place:
    return Place("local AWS", f"127.0.0.1:{target.port}", target.port, method, "/", "", body)
