"""Does anything from outside make a server fail, get out of where it belongs, or cost memory?

* pictures: 5,000 mutated files of six formats, sent to the endpoint's server four at a time;
* bombs: 60 small files that ask for much, one after the other;
* http: forty and more shapes of requests that no client sends, to the server, to the deployed API and to the
  local AWS; and what sound requests take while a hundred senders hold connections open;
* intruders: requests to the local AWS as a page on the web or a stranger would send them;
* archives: 30 and more, opened by every room that opens one;
* names: 30 and more, given to every service that takes a name;
* fuzzing: our own parsers under atheris, which follows what the code covers.

`PARTS=pictures,bombs` runs only those; `FUZZ_SECONDS` is the time of each parser (12). The API and the local
AWS are a demo of this benchmark's own, which is taken down at the end.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks import harness, hostile_archives, hostile_fuzz, hostile_names, hostile_pictures
from benchmarks.hostile_http import Answered, Crowd, Place, Shape, send, shapes
from benchmarks.hostile_intruders import intruders
from benchmarks.hostile_pictures import Case
from benchmarks.serving_artifact import trained
from benchmarks.serving_load import Connection
from benchmarks.serving_load import Target as Served
from benchmarks.serving_running import Running
from benchmarks.serving_systems import OURS
from cli.commands.demo_data import write_digits
from cli.target import Target, resolve

PARTS = ("pictures", "bombs", "http", "intruders", "archives", "names", "fuzzing")
OF_THE_SERVER = ("pictures", "bombs", "http")
OF_THE_LOCAL_AWS = ("http", "intruders", "names")
PICTURES, SEED = 5_000, 20261128
AT_ONCE = 4
CROWD = 100
HOME = Path(os.environ.get("HOSTILE_HOME", harness.ROOT / ".local" / "hostile"))
PORT = os.environ.get("HOSTILE_PORT", "4729")
Row = dict[str, Any]


def main() -> None:
    """Run the parts, and publish what came of them."""
    parts = os.environ.get("PARTS", ",".join(PARTS)).split(",")
    if unknown := set(parts) - set(PARTS):
        sys.exit(f"PARTS are {', '.join(PARTS)}, not {', '.join(sorted(unknown))}")
    rows: list[Row] = []
    growth: float | None = None
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        if set(parts) & set(OF_THE_SERVER):
            growth = _server(parts, scratch, rows)
        if set(parts) & set(OF_THE_LOCAL_AWS):
            _local_aws(parts, rows)
        if "archives" in parts:
            rows += _archives(scratch / "archives")
        if "fuzzing" in parts:
            rows += _fuzzing(scratch / "fuzzing")
    harness.publish("hostile", rows, _summary(rows, growth))


def _summary(rows: Iterable[Row], growth: float | None) -> Row:
    rows = list(rows)
    slowest = max(rows, key=lambda row: row.get("worst_ms") or 0.0)
    return {
        "tried": sum(row["tried"] for row in rows),
        "server_errors": sum(row["server_errors"] for row in rows),
        "escapes": sum(row["escapes"] for row in rows),
        "worst_ms": slowest.get("worst_ms"),
        "worst_of": slowest["system"],
        "memory_growth_mb": None if growth is None else round(growth, 1),
    }


def _row(
    system: str, tried: int, faults: list[str], escapes: list[str], worst_ms: float | None, what: str
) -> Row:
    for fault in faults[:10]:
        print(f"{system}: {fault}", flush=True)
    for escape in escapes[:10]:
        print(f"{system}: OUT: {escape}", flush=True)
    worst = None if worst_ms is None else round(worst_ms, 1)
    counted = {"tried": tried, "server_errors": len(faults), "escapes": len(escapes)}
    return {"system": system, **counted, "worst_ms": worst, "answers": what}


# --- the endpoint's server ---


def _server(parts: list[str], scratch: Path, rows: list[Row]) -> float:
    """The parts that the endpoint's server is asked in; how many MB it has grown by."""
    digits = scratch / "digits"
    write_digits(digits)
    model = trained(scratch / "job", digits, "resnet18", 1, subprocess.DEVNULL, image_size=32)
    (scratch / "server").mkdir()
    good = next((digits / "test").rglob("*.png")).read_bytes()
    with Running(OURS, model, scratch / "server") as running:
        running.wait(good)
        place = Place(
            "server",
            "localhost",
            running.target.port,
            "POST",
            "/invocations",
            "Content-Type: image/png\r\n",
            good,
        )
        # What a server needs once for every decoder it has used is no growth.
        warm = list(hostile_pictures.mutated(300, SEED + 1))
        asyncio.run(_sent(place, [*warm, *[Case("good", good)] * 200], AT_ONCE))
        before = running.resident_mb()
        if "pictures" in parts:
            cases = list(hostile_pictures.mutated(PICTURES, SEED))
            rows.append(_judged("server: pictures", cases, asyncio.run(_sent(place, cases, AT_ONCE))))
        if "bombs" in parts:
            cases = hostile_pictures.bombs()
            rows.append(_judged("server: bombs", cases, asyncio.run(_sent(place, cases, 1))))
        if "http" in parts:
            rows.append(asyncio.run(_misused(place)))
            rows.append(asyncio.run(_crowded(place)))
        asyncio.run(_sent(place, [Case("good", good)] * 50, AT_ONCE))
        return running.resident_mb() - before


async def _sent(place: Place, cases: list[Case], at_once: int) -> list[Answered]:
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


def _judged(system: str, cases: list[Case], answers: list[Answered]) -> Row:
    """A body may be answered 200 or 400, sound or not; nobody is to be told that the server failed."""
    pairs = list(zip(cases, answers, strict=True))
    faults = [
        f"{case.name}: {answer.status} {answer.text[:200]!r}" for case, answer in pairs if answer.is_fault
    ]
    slowest = max(pairs, key=lambda pair: pair[1].seconds)
    print(f"{system}: slowest {slowest[0].name}, {slowest[1].seconds * 1000:.0f} ms", flush=True)
    return _row(system, len(pairs), faults, [], slowest[1].seconds * 1000, _statuses(answers))


def _statuses(answers: Iterable[Answered]) -> str:
    counted = Counter(str(answer.status or "closed") for answer in answers)
    return ", ".join(f"{status}: {count}" for status, count in sorted(counted.items()))


async def _misused(place: Place) -> Row:
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
    return _row(f"{place.name}: http", len(answers), faults, escapes, worst * 1000, _statuses(answers))


async def _sound(place: Place) -> Answered:
    """The answer to a sound request, which comes again as it is told when there were too many a second."""
    for _ in range(10):
        answer = await send(place, Shape("sound", (place.head() + place.body,)))
        if answer.status != 429:
            break
        await asyncio.sleep(0.5)
    return answer


async def _crowded(place: Place) -> Row:
    """What sound requests are answered while many senders hold connections and send next to nothing."""
    async with Crowd(place, CROWD):
        answers = [await _sound(place) for _ in range(100)]
    faults = [f"a sound request got {answer.status}" for answer in answers if answer.status != 200]
    worst = max(answer.seconds for answer in answers) * 1000
    return _row(
        f"{place.name}: beside {CROWD} slow senders", len(answers), faults, [], worst, _statuses(answers)
    )


# --- the local AWS and the API deployed to it ---


def _local_aws(parts: list[str], rows: list[Row]) -> None:
    with _deployed("http" in parts) as (target, outputs):
        if "http" in parts:
            api = _api(outputs)
            rows.append(asyncio.run(_misused(api)))
            rows.append(asyncio.run(_crowded(api)))
            cases = list(hostile_pictures.mutated(200, SEED + 2))
            rows.append(_judged("api: pictures", cases, asyncio.run(_sent(api, cases, 2))))
            rows.append(asyncio.run(_misused_unsigned(target)))
        if "intruders" in parts:
            rows.append(asyncio.run(_intruded(target)))
        if "names" in parts:
            rows.append(_named(target))


@contextmanager
def _deployed(with_model: bool) -> Iterator[tuple[Target, Row]]:
    """A local AWS of this benchmark's own; with a demo's model behind the API where the part asks it."""
    home = HOME / "home"
    shutil.rmtree(HOME, ignore_errors=True)
    home.mkdir(parents=True)
    os.environ |= {"CLASSIFIER_HOME": str(home), "CLASSIFIER_PORT": PORT}
    target = resolve("local")
    try:
        _cli("demo" if with_model else "up")
        yield target, json.loads(target.outputs_path.read_text())
    finally:
        _cli("down", "--wipe")


def _cli(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli", "--target", "local", *arguments],
        cwd=harness.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"classifier {' '.join(arguments)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")


def _api(outputs: Row) -> Place:
    """POST /classify with the key, and a picture that it takes."""
    address = outputs["api_url"].partition("://")[2]
    host, _, path = address.partition("/")
    picture = Path(outputs["prediction"]["picture"]).read_bytes()
    headers = f"Content-Type: image/png\r\nx-api-key: {outputs['api_key']}\r\n"
    return Place("api", host, int(PORT), "POST", f"/{path.rstrip('/')}/classify", headers, picture)


async def _misused_unsigned(target: Target) -> Row:
    """The shapes, sent to the local AWS itself: none is signed, so that none may be answered 200."""
    place = Place(
        "local AWS", f"127.0.0.1:{PORT}", int(PORT), "POST", "/", "", b"Action=ListUsers&Version=2010-05-08"
    )
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
    return _row("local AWS: http", len(answers), faults, escapes, worst * 1000, _statuses(answers))


async def _intruded(target: Target) -> Row:
    place = Place("local AWS", f"127.0.0.1:{PORT}", int(PORT), "GET", "/", "", b"")
    faults, escapes, answers = [], [], []
    for name, request in intruders(int(PORT)):
        answer = await send(place, Shape(name, (request,)))
        answers.append(answer)
        if answer.is_fault:
            faults.append(f"{name}: {answer.status}")
        if answer.status is not None and answer.status < 400:
            escapes.append(f"{name}: answered {answer.status}")
    target.client("sts").get_caller_identity()  # it is there still
    worst = max(answer.seconds for answer in answers) * 1000
    return _row("local AWS: intruders", len(answers), faults, escapes, worst, _statuses(answers))


def _named(target: Target) -> Row:
    outcomes = hostile_names.run(target.client, HOME, target.home)
    faults = [f"{each.service} {each.name[:40]!r}: {each.fault}" for each in outcomes if each.fault]
    escapes = [f"{each.service} {each.name[:40]!r}: {each.escaped}" for each in outcomes if each.escaped]
    worst = max(each.milliseconds for each in outcomes)
    return _row("names", len(outcomes), faults, escapes, worst, f"{len(hostile_names.NAMES)} names")


# --- without a server ---


def _archives(scratch: Path) -> list[Row]:
    rows = []
    outcomes = hostile_archives.run(scratch)
    for room in dict.fromkeys(each.room for each in outcomes):
        ours = [each for each in outcomes if each.room == room]
        faults = [f"{each.archive}: {each.error}" for each in ours if each.error]
        escapes = [f"{each.archive}: {each.escaped}" for each in ours if each.escaped]
        worst = max(each.milliseconds for each in ours)
        # Unpacked by a deployment or a job, while nobody waits for an answer.
        told = f"slowest {worst:.0f} ms"
        rows.append(_row(f"archives: {room}", len(ours), faults, escapes, None, told))
    return rows


def _fuzzing(scratch: Path) -> list[Row]:
    rows, seconds = [], int(os.environ.get("FUZZ_SECONDS", "12"))
    for target in hostile_fuzz.TARGETS:
        tried, fault = hostile_fuzz.fuzz(target, seconds, scratch / target.replace(" ", "-"))
        faults = [fault] if fault else []
        rows.append(_row(f"fuzzing: {target}", tried, faults, [], None, f"{seconds} s"))
    return rows


if __name__ == "__main__":
    main()
