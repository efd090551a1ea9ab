"""A bounded campaign of faults on the local AWS: is anything lost, stuck, left running, or told wrongly?

* kills: `kill -9` of the server, a job, an endpoint's process and the CLI at 30 moments drawn by a fixed
  seed, in a deployment, an upload, a search, a training, a promotion, and while requests are served. A client
  writes objects, parameters and model package groups all the time, and remembers what was acknowledged.
  After each kill the server is started again, everything has to come to an end, every acknowledged write has
  to be there with its bytes, and parameter, registry, stack and API have to tell one story.
* cold: 20 searches with two trials that start at the same moment on data nobody has read yet.
* ups: two `up` at once. clock: `down` after the clock was set. disk: writes onto a disk that is full (a file
  system in memory, which only root may mount).

All figures of the summary ought to be zero. Everything takes about 25 minutes on two cores; `--parts` runs
some of it. The installations lie in `.local/faults` and on ports of their own.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import harness
from benchmarks.faults_conditions import CLOCK_STEPS, clock_steps, full_disk, two_ups
from benchmarks.faults_installation import Installation
from benchmarks.faults_judged import Found, draw, summary
from benchmarks.faults_kills import PLAN, Kills
from benchmarks.faults_searches import Searches, cold
from benchmarks.faults_writers import Writer
from cli.commands.demo_data import write_digits

PARTS = ("ups", "clock", "disk", "cold", "kills")
Row = dict[str, Any]


def campaign(options: argparse.Namespace) -> Iterator[Row]:
    """The rows of the chosen parts, as they come."""
    home: Path = options.home
    main = Installation(home / "main", options.port)
    aside = Installation(home / "aside", options.port + 1)
    chance = random.Random(options.seed)
    if "ups" in options.parts:
        yield two_ups(aside)
    if "clock" in options.parts:
        for step in CLOCK_STEPS:
            yield clock_steps(aside, step)
    if "disk" in options.parts:
        yield from full_disk(home / "disk", options.port + 2, chance)
    if {"cold", "kills"} & set(options.parts):
        yield from on_the_main_installation(main, options, chance)


def on_the_main_installation(
    installation: Installation, options: argparse.Namespace, chance: random.Random
) -> Iterator[Row]:
    """The parts that need everything deployed; at last it is taken down, and nothing may be left running."""
    digits = options.home / "digits"
    write_digits(digits)
    installation.configure(alarm_minutes=1, bake_seconds=5)
    if installation.cli("up", "--yes", seconds=600):
        sys.exit(f"the deployment failed; see {installation.home / 'cli.log'}")
    searches = Searches(installation, digits)
    try:
        if "cold" in options.parts:
            yield from cold(searches, options.searches)
        if "kills" in options.parts:
            writer = Writer(installation)
            writer.prepare()
            kills = Kills(installation, searches, writer, digits, chance)
            kills.first_champion()
            for moment in draw(PLAN, options.seed):
                if options.phase in ("", moment.phase):
                    yield kills.at(moment)
    finally:
        installation.down()
    found = Found()
    found.add("leaked_processes", installation.leaked())
    for line in found.lines:
        print(f"  {line}", flush=True)
    yield {"system": "down", "seconds": 0.0, **found.counts}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="benchmarks.faults", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--parts", default=",".join(PARTS), help="which of %(default)s")
    parser.add_argument("--phase", default="", help="of the kills only those of one phase")
    parser.add_argument("--searches", type=int, default=20, help="cold searches (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=13, help="by which moments are drawn (default: 13)")
    parser.add_argument("--home", type=Path, default=harness.ROOT / ".local" / "faults")
    parser.add_argument("--port", type=int, default=4731, help="the first of three (default: %(default)s)")
    options = parser.parse_args(arguments)
    options.parts = options.parts.split(",")
    options.home = options.home.resolve()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part is called {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return options


def main() -> None:
    options = parse()
    shutil.rmtree(options.home, ignore_errors=True)
    rows = []
    for row in campaign(options):
        print(row, flush=True)
        rows.append(row)
    harness.publish("faults", rows, summary(rows))
    if not any(summary(rows).values()):
        shutil.rmtree(options.home, ignore_errors=True)


if __name__ == "__main__":
    main()
