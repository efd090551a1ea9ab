"""What the benchmarks of accuracy have alike: how they are asked, and what is kept of their runs."""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.accuracy_sets import PictureSet
from benchmarks.accuracy_systems import Result
from benchmarks.harness import ask_for_pictures


def parser(name: str, description: str | None, sets: Mapping[str, PictureSet]) -> argparse.ArgumentParser:
    """What each of them takes: --data, --sets, --seeds, --anew."""
    made = argparse.ArgumentParser(prog=f"make bench NAME={name}", description=description)
    ask_for_pictures(made)
    made.add_argument("--sets", default=",".join(sets))
    made.add_argument("--seeds", default="0,1,2")
    made.add_argument("--anew", action="store_true", help="forget the runs that are kept")
    return made


def split(
    parser: argparse.ArgumentParser, options: argparse.Namespace, key: str, there: Mapping[str, Any]
) -> None:
    """Makes a list of what was asked for with commas; ends the process where something is not there."""
    asked = getattr(options, key).split(",")
    if unknown := set(asked) - set(there):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(there)}")
    setattr(options, key, asked)


def check(
    parser: argparse.ArgumentParser, options: argparse.Namespace, sets: Mapping[str, PictureSet]
) -> None:
    """Makes lists of --sets and --seeds; ends the process where there are no such sets or pictures."""
    split(parser, options, "sets", sets)
    options.seeds = [int(seed) for seed in options.seeds.split(",")]
    for name in set(options.sets) - {"digits"}:
        if not sets[name].within(options.data).is_dir():
            parser.error(f"there is no {name} in {options.data}: name a folder with --data or BENCH_PICTURES")


def begin(kept: Path, anew: bool) -> None:
    """Make the folder of what is kept, empty if that is asked."""
    if anew:
        shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True, exist_ok=True)
    # Whoever is measured takes as many threads as there are cores, whatever the shell says.
    os.environ["OMP_NUM_THREADS"] = str(len(os.sched_getaffinity(0)))


def result_of(part: Mapping[str, Any]) -> Result:
    """The run that is kept in a part, beside what it was of."""
    return Result(**{key: part[key] for key in ("right", "seconds", "cpu_seconds", "peak_mb")})
