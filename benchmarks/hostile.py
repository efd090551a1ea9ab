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
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import harness, hostile_archives, hostile_bombs, hostile_fuzz, hostile_names, hostile_pictures
from benchmarks.hostile_asked import Row, crowded, intruded, judged, misused, misused_unsigned, row, sent
from benchmarks.hostile_http import Place
from benchmarks.hostile_pictures import Case
from benchmarks.serving_artifact import trained
from benchmarks.serving_running import Running
from benchmarks.serving_systems import OURS
from cli.commands.demo_data import write_digits
from cli.target import Target, resolve

PARTS = ("pictures", "bombs", "http", "intruders", "archives", "names", "fuzzing")
OF_THE_SERVER = ("pictures", "bombs", "http")
OF_THE_LOCAL_AWS = ("http", "intruders", "names")
PICTURES, SEED = 5_000, 20261128
AT_ONCE = 4
HOME = Path(os.environ.get("HOSTILE_HOME", harness.ROOT / ".local" / "hostile"))
PORT = os.environ.get("HOSTILE_PORT", "4729")


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
        asyncio.run(sent(place, [*warm, *[Case("good", good)] * 200], AT_ONCE))
        before = running.resident_mb()
        if "pictures" in parts:
            cases = list(hostile_pictures.mutated(PICTURES, SEED))
            rows.append(judged("server: pictures", cases, asyncio.run(sent(place, cases, AT_ONCE))))
        if "bombs" in parts:
            cases = hostile_bombs.bombs()
            rows.append(judged("server: bombs", cases, asyncio.run(sent(place, cases, 1))))
        if "http" in parts:
            rows.append(asyncio.run(misused(place)))
            rows.append(asyncio.run(crowded(place)))
        asyncio.run(sent(place, [Case("good", good)] * 50, AT_ONCE))
        return running.resident_mb() - before


# --- the local AWS and the API deployed to it ---


def _local_aws(parts: list[str], rows: list[Row]) -> None:
    with _deployed("http" in parts) as (target, outputs):
        if "http" in parts:
            api = _api(outputs)
            rows.append(asyncio.run(misused(api)))
            rows.append(asyncio.run(crowded(api)))
            cases = list(hostile_pictures.mutated(200, SEED + 2))
            rows.append(judged("api: pictures", cases, asyncio.run(sent(api, cases, 2))))
            rows.append(asyncio.run(misused_unsigned(target)))
        if "intruders" in parts:
            rows.append(asyncio.run(intruded(target)))
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
        harness.classifier("demo" if with_model else "up")
        yield target, json.loads(target.outputs_path.read_text())
    finally:
        harness.classifier("down", "--wipe")


def _api(outputs: Row) -> Place:
    """POST /classify with the key, and a picture that it takes."""
    address = outputs["api_url"].partition("://")[2]
    host, _, path = address.partition("/")
    picture = Path(outputs["prediction"]["picture"]).read_bytes()
    headers = f"Content-Type: image/png\r\nx-api-key: {outputs['api_key']}\r\n"
    return Place("api", host, int(PORT), "POST", f"/{path.rstrip('/')}/classify", headers, picture)


def _named(target: Target) -> Row:
    outcomes = hostile_names.run(target.client, HOME, target.home)
    faults = [f"{each.service} {each.name[:40]!r}: {each.fault}" for each in outcomes if each.fault]
    escapes = [f"{each.service} {each.name[:40]!r}: {each.escaped}" for each in outcomes if each.escaped]
    worst = max(each.milliseconds for each in outcomes)
    return row("names", len(outcomes), faults, escapes, worst, f"{len(hostile_names.NAMES)} names")


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
        slowest = f"slowest {worst:.0f} ms"
        rows.append(row(f"archives: {room}", len(ours), faults, escapes, None, slowest))
    return rows


def _fuzzing(scratch: Path) -> list[Row]:
    rows, seconds = [], int(os.environ.get("FUZZ_SECONDS", "12"))
    for target in hostile_fuzz.TARGETS:
        tried, fault = hostile_fuzz.fuzz(target, seconds, scratch / target.replace(" ", "-"))
        faults = [fault] if fault else []
        rows.append(row(f"fuzzing: {target}", tried, faults, [], None, f"{seconds} s"))
    return rows


if __name__ == "__main__":
    main()
