"""What happens to an installation without anybody being killed in the act: two `up` at once, a clock that is
set, a disk that is full.
"""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.faults_installation import Installation, NeverHappenedError, until
from benchmarks.faults_judged import Found
from benchmarks.faults_writers import Writer
from local_aws.testing.small_disk import SmallDisk

ROUNDS = 3
UP_SECONDS = 600.0
CLOCK_STEPS = (3600.0, -3600.0)
# What a command sees after the machine's clock was set: its own time, and the start of every process, which
# the kernel tells relative to now.
_STEPPED = """
import runpy, sys, time, psutil
step, now, started = float(sys.argv.pop(1)), time.time, psutil.Process.create_time
time.time = lambda: now() + step
psutil.Process.create_time = lambda self, *a, **k: started(self, *a, **k) + step
sys.argv[0] = "classifier"
runpy.run_module("cli", run_name="__main__")
"""


def two_ups(installation: Installation) -> dict[str, Any]:
    """Two `up` at once: one server, all stacks, and `down` ends it."""
    found, began = Found(), time.monotonic()
    both = [installation.begin("up", "--yes") for _ in range(2)]
    try:
        codes = [process.wait(UP_SECONDS) for process in both]
        if any(codes):
            found.add("wrong_outcomes", [f"two `up` at once end with {codes}"])
        servers = [each for each in installation.processes() if _is_server(each)]
        if len(servers) != 1:
            found.add("wrong_outcomes", [f"{len(servers)} servers run after two `up`"])
    except subprocess.TimeoutExpired:
        found.add("stuck", ["two `up` at once do not end"])
    return _after_down(installation, "two up at once", found, began)


def clock_steps(installation: Installation, step: float) -> dict[str, Any]:
    """A server, and commands after the clock was set: `down` ends what runs, whatever the time is."""
    found, began = Found(), time.monotonic()
    installation.start()
    process = installation.begin(str(step), "down", program=("-c", _STEPPED))
    code = process.wait(120)
    if code or installation.server is not None:
        found.add("wrong_outcomes", [f"`down` after a clock step of {step:.0f} s ends with {code}"])
    return _after_down(installation, f"clock step {step:+.0f} s", found, began)


def full_disk(home: Path, port: int, chance: random.Random) -> list[dict[str, Any]]:
    """Writes onto a disk that fills up, a kill, room again: what was acknowledged is there."""
    rows, disk = [], SmallDisk(home)
    installation = Installation(home / "home", port)
    try:
        installation.start()
        writer = Writer(installation)
        writer.prepare()
        for number in range(1, ROUNDS + 1):
            found, began = Found(), time.monotonic()
            with writer:
                time.sleep(1)
                disk.full(room=chance.randrange(300_000))
                time.sleep(chance.uniform(2, 5))
            disk.full()
            if writer.once():
                found.add("wrong_outcomes", ["writes to a full disk are acknowledged"])
            found.add("lost_writes", writer.lost())
            installation.kill_server()
            disk.roomy()
            installation.start()
            found.add("lost_writes", writer.lost())
            try:
                until(writer.once, 60, "a write when there is room again")
            except NeverHappenedError as error:
                found.add("stuck", [str(error)])
            if number == ROUNDS:
                rows.append(_after_down(installation, "full disk", found, began))
            else:
                rows.append(_row("full disk", found, began))
    finally:
        disk.roomy()
        installation.down()
        disk.gone()
    return rows


def _after_down(installation: Installation, system: str, found: Found, began: float) -> dict[str, Any]:
    installation.down()
    found.add("leaked_processes", installation.leaked())
    return _row(system, found, began)


def _row(system: str, found: Found, began: float) -> dict[str, Any]:
    for line in found.lines:
        print(f"  {line}", flush=True)
    return {"system": system, "seconds": round(time.monotonic() - began, 1), **found.counts}


def _is_server(process: psutil.Process) -> bool:
    words = process.cmdline()
    return "local_aws" in words and "--state" in words
