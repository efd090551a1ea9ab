"""How good our recipes' networks are, and how soon: against fastai, timm's own script and the course loop.

All fine-tune EfficientNet-Lite0 from ImageNet's weights on the same pictures, of the same size, for as many
epochs, with a look at the validation split after each; then each answers the test split. Ours are real
training jobs. Everybody has the whole machine, in turns. Peers choose what they choose by default: fastai's
`fine_tune` a frozen epoch, then all layers; timm's script its augmentations, with a low learning rate and a
warm-up; the course loop a new head. CIFAR-10's subset is there twice: at 160 pixels for six epochs, and
small, at 96 for three, where the peers take minutes.

    make bench NAME=accuracy                                    all sets, three seeds: hours on two cores
    make bench NAME=accuracy ARGS="--seeds 0"                   one seed
    make bench NAME=accuracy ARGS="--sets digits,hymenoptera"   some sets: some minutes

`--data` or BENCH_PICTURES names a folder with dogs, cifar10 and hymenoptera. timm's script is fetched from
its repository, or named by TIMM_TRAIN. The runs are kept in benchmarks/results/accuracy.parts/, so that sets
and seeds run one by one make one result; `--anew` forgets them.

Of each set and system: the accuracy on the test split, its 95% bounds (of pictures and seeds drawn again),
and the medians of the seconds. A set is in `behind_in` where a peer is better than ours beyond what chance
makes of the same pictures; `not_compared` names what nobody measured. `time_vs_best_peer` is our time through
that of the most accurate peer, of the set where that is the most; below 0.5 is the aim.
`cpu_time_vs_best_peer` is the same of processor seconds, those of workers included, which tell more where
others work on the machine. Dogs' 120 breeds are among ImageNet's classes: compare there, and claim nothing.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy_runs import begin, check, parser, result_of, split
from benchmarks.accuracy_sets import HEAD_ALONE, SETS, weights
from benchmarks.accuracy_systems import OTHER, OURS, PEER_NAMES, SYSTEMS, CannotRun, Result, Work
from benchmarks.harness import RESULTS, Row, commit, publish

KEPT: Final = RESULTS / "accuracy.parts"
DRAWS: Final = 10_000
Results = Mapping[str, Sequence[Result]]
"""Of each system, those of its seeds."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for, and publish all there is."""
    options = _options(arguments)
    begin(KEPT, options.anew)
    missing: dict[str, str] = {}
    for name in options.sets:
        scratch = Path(tempfile.mkdtemp(prefix=f"bench-accuracy-{name}-"))
        try:
            for seed in options.seeds:
                missing |= _turn(name, seed, options, scratch / str(seed))
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    of_sets = {name: found for name in SETS if (found := kept(name)).get(OURS)}
    rows = [row for name, found in of_sets.items() for row in rows_of(name, found)]
    publish("accuracy", rows, summary(of_sets, missing))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    asking = parser("accuracy", __doc__, SETS)
    asking.add_argument("--systems", default=",".join(SYSTEMS))
    options = asking.parse_args(arguments)
    check(asking, options, SETS)
    split(asking, options, "systems", SYSTEMS)
    return options


def _turn(name: str, seed: int, options: argparse.Namespace, scratch: Path) -> dict[str, str]:
    """Each system once on a set; why those that cannot run cannot."""
    scratch.mkdir()
    pictures = SETS[name].laid_out(options.data, scratch)
    published, by_name = weights(scratch)
    missing = {}
    for system in options.systems:
        folder = scratch / system.replace(" ", "-")
        folder.mkdir()
        try:
            result = SYSTEMS[system](Work(SETS[name], pictures, published, by_name, seed, folder))
        except CannotRun as error:
            missing[system] = str(error)
            continue
        shutil.rmtree(folder)
        right = sum(result.right) / len(result.right)
        print(f"{name}, seed {seed}, {system}: {right:.4f} in {result.seconds:.0f} s", flush=True)
        part = {"commit": commit(), "set": name, "system": system, "seed": seed, **asdict(result)}
        (KEPT / f"{name}-{folder.name}-{seed}.json").write_text(json.dumps(part))
    return missing


def kept(name: str, folder: Path = KEPT) -> dict[str, list[Result]]:
    """The runs of a set that there are, by system."""
    found: dict[str, list[Result]] = {}
    parts = [json.loads(path.read_text()) for path in sorted(folder.glob(f"{name}-*.json"))]
    for part in parts:
        found.setdefault(part["system"], []).append(result_of(part))
    return {system: found[system] for system in SYSTEMS if system in found}


def rows_of(name: str, found: Results) -> list[Row]:
    """A row for each system."""
    rows: list[Row] = []
    for system, results in found.items():
        right = _right(results)
        low, high = bounds(right)
        gain = {} if system not in PEER_NAMES else versus(_right(found[OURS]), right)
        rows.append(
            {
                "system": system,
                "set": name,
                "trained": _trained(name, system),
                "epochs": SETS[name].epochs,
                "pixels": SETS[name].size,
                "seeds": len(results),
                "accuracy": float(right.mean()),
                "low": low,
                "high": high,
                "seconds": _median(results, "seconds"),
                "cpu_seconds": _median(results, "cpu_seconds"),
                "peak_mb": round(_median(results, "peak_mb")),
                "ours_better_by": gain.get("by"),
                "at_least": gain.get("low"),
                "at_most": gain.get("high"),
            }
        )
    return rows


def summary(of_sets: Mapping[str, Results], missing: Mapping[str, str]) -> dict[str, Any]:
    """The figures a reader looks for."""
    told: dict[str, Any] = {}
    times: dict[str, float] = {}
    processor: dict[str, float] = {}
    behind: list[str] = []
    for name, found in of_sets.items():
        told[f"{name}_accuracy"] = float(_right(found[OURS]).mean())
        if OTHER in found:
            told[f"{name}_accuracy_by_{_other(name)}"] = float(_right(found[OTHER]).mean())
        peers = {system: found[system] for system in PEER_NAMES if system in found}
        for system, results in peers.items():
            if versus(_right(found[OURS]), _right(results))["high"] < 0:
                behind.append(f"{name}: {system}")
        if peers:
            best = max(peers, key=lambda system: float(_right(peers[system]).mean()))
            times[name] = _median(found[OURS], "seconds") / _median(peers[best], "seconds")
            processor[name] = _median(found[OURS], "cpu_seconds") / _median(peers[best], "cpu_seconds")
            told[f"{name}_time_vs_{best.replace(' ', '_')}"] = times[name]
    told["time_vs_best_peer"] = max(times.values(), default=None)
    told["cpu_time_vs_best_peer"] = max(processor.values(), default=None)
    told["behind_in"] = behind
    told["not_compared"] = [
        f"{name}: {system}" for name in SETS for system in PEER_NAMES if system not in of_sets.get(name, {})
    ]
    return told | ({"not_measured": dict(missing)} if missing else {})


def bounds(right: NDArray[np.float64]) -> tuple[float, float]:
    """The 95% bounds of the mean of a table (seeds, pictures), both drawn again."""
    low, high = np.quantile(_drawn(right), (0.025, 0.975))
    return float(low), float(high)


def versus(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> dict[str, float]:
    """By how much ours is better on the same pictures, and the 95% bounds of that: `by`, `low`, `high`.

    Args:
        ours: whether each picture is answered rightly, (seeds, pictures), as 0 and 1.
        theirs: the same of others; seeds that only one of the two has are left out.
    """
    seeds = min(len(ours), len(theirs))
    difference = ours[:seeds] - theirs[:seeds]
    low, high = bounds(difference)
    return {"by": float(difference.mean()), "low": low, "high": high}


def _drawn(table: NDArray[np.float64]) -> NDArray[np.float64]:
    random = np.random.default_rng(0)
    seeds, pictures = table.shape
    means = np.empty(DRAWS)
    for draw in range(DRAWS):
        rows = random.integers(seeds, size=seeds)
        means[draw] = table[rows].mean(0)[random.integers(pictures, size=pictures)].mean()
    return means


def _trained(name: str, system: str) -> str:
    if system == OURS:
        return "head" if SETS[name].recipe == HEAD_ALONE else "all layers"
    return _other(name).replace("_", " ").replace("head alone", "head") if system == OTHER else ""


def _other(name: str) -> str:
    """What the recipe that is not the set's trains."""
    return "all_layers" if SETS[name].recipe == HEAD_ALONE else "head_alone"


def _right(results: Sequence[Result]) -> NDArray[np.float64]:
    return np.array([each.right for each in results], float)


def _median(results: Sequence[Result], key: str) -> float:
    return float(statistics.median(getattr(each, key) for each in results))


if __name__ == "__main__":
    main()
