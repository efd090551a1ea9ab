"""What each way of training gains on its own: the recipe `finetune-lite0`, and one thing changed at a time.

All of EfficientNet-Lite0 is trained from ImageNet's weights, on four sets: dogs (ImageNet has their breeds),
ants and bees, 2,000 of CIFAR-10's pictures and handwritten digits (which look like nothing of ImageNet's), of
few pixels, so that one training takes a minute on two cores. Real jobs train, in turns, and answer the test
split. Of each change and set: the accuracy, by how much it is above that of the recipe as it is, the 95%
bounds of that on the same pictures (of few pictures and one seed they are wide), and the seconds.

    make bench NAME=gains                                  three seeds: two hours on two cores
    make bench NAME=gains ARGS="--sets digits --seeds 0"   some minutes

`--data` or BENCH_PICTURES names a folder with dogs, cifar10 and hymenoptera. The runs are kept in
benchmarks/results/gains.parts/, so that parts make one result; `--anew` forgets them.
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from benchmarks.accuracy import versus
from benchmarks.accuracy_runs import begin, check, parser, result_of
from benchmarks.accuracy_sets import ALL_LAYERS, SETS, PictureSet, weights
from benchmarks.accuracy_systems import Result, Work, ours
from benchmarks.harness import RESULTS, Row, commit, publish

KEPT: Final = RESULTS / "gains.parts"
AS_IT_IS: Final = "as it is"


def _of(name: str, size: int, epochs: int, batch_size: int, **changes: Any) -> PictureSet:
    return replace(
        SETS[name],
        recipe=ALL_LAYERS,
        size=size,
        epochs=epochs,
        batch_size=batch_size,
        changes={**SETS[name].changes, **changes},
    )


SMALL: Final = {
    each.name: each
    for each in (
        _of("hymenoptera", 160, 6, 16),
        _of("digits", 56, 4, 64),
        _of("dogs", 96, 3, 64),
        _of("cifar10_small", 96, 3, 64, train_fraction=0.4),
    )
}
CHANGES: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        AS_IT_IS: {},
        "a new head": {"head": "new"},
        "the head first, for an epoch": {"probe_epochs": 1, "finetune_rate": 1.0},
        "layer_decay 0.8": {"layer_decay": 0.8},
        "norms that follow the pictures": {"norm_statistics": "trained"},
        "ema_decay 0.98": {"ema_decay": 0.98},
        "label_smoothing 0.1": {"label_smoothing": 0.1},
        "mixup 0.2": {"mixup": 0.2},
        "random_erasing 0.25": {"random_erasing": 0.25},
        "random-resized-crop": {"augment": "random-resized-crop"},
        "trivial": {"augment": "trivial"},
        "no augmentation": {"augment": "none"},
    }
)
Runs = Mapping[tuple[str, str], Sequence[Result]]
"""Of each set and change, those of its seeds."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for, and publish all there is."""
    asking = parser("gains", __doc__, SMALL)
    options = asking.parse_args(arguments)
    check(asking, options, SMALL)
    begin(KEPT, options.anew)
    for seed in options.seeds:
        for name in options.sets:
            with tempfile.TemporaryDirectory(prefix=f"bench-gains-{name}-") as scratch:
                _turn(SMALL[name], seed, options.data, Path(scratch))
    found = kept()
    publish("gains", rows_of(found), summary(found))


def _turn(of: PictureSet, seed: int, data: Path, scratch: Path) -> None:
    """Each change once on a set; those that are kept are not run again."""
    pictures = of.laid_out(data, scratch)
    published, by_name = weights(scratch)
    for number, (change, values) in enumerate(CHANGES.items()):
        part = KEPT / f"{of.name}-{number}-{seed}.json"
        if part.exists():
            continue
        folder = scratch / str(number)
        folder.mkdir()
        changed = replace(of, changes={**of.changes, **values})
        result = ours(Work(changed, pictures, published, by_name, seed, folder))
        shutil.rmtree(folder)
        accuracy = statistics.mean(result.right)
        print(f"{of.name}, seed {seed}, {change}: {accuracy:.4f} in {result.seconds:.0f} s", flush=True)
        told = {"commit": commit(), "set": of.name, "change": change, "seed": seed, **asdict(result)}
        part.write_text(json.dumps(told))


def kept(folder: Path = KEPT) -> Runs:
    """The runs that there are."""
    found: dict[tuple[str, str], list[Result]] = {}
    for path in sorted(folder.glob("*.json")):
        part = json.loads(path.read_text())
        found.setdefault((part["set"], part["change"]), []).append(result_of(part))
    return {(of, change): found[of, change] for of in SMALL for change in CHANGES if (of, change) in found}


def rows_of(found: Runs) -> list[Row]:
    """A row for each set and change; the first of a set is the recipe as it is."""
    rows: list[Row] = []
    for (of, change), results in found.items():
        right = np.array([each.right for each in results], float)
        row: dict[str, float | int | str | None] = {
            "system": change,
            "set": of,
            "seeds": len(results),
            "accuracy": float(right.mean()),
            "seconds": statistics.median(each.seconds for each in results),
        }
        plain = found.get((of, AS_IT_IS))
        if plain and change != AS_IT_IS:
            gain = versus(right, np.array([each.right for each in plain], float))
            row |= {"gain": gain["by"], "at_least": gain["low"], "at_most": gain["high"]}
        rows.append(row)
    return rows


def summary(found: Runs) -> dict[str, Any]:
    """Of each change, the sets where it is better and where it is worse beyond chance."""
    told: dict[str, Any] = {change: {"better": [], "worse": []} for change in CHANGES if change != AS_IT_IS}
    for row in rows_of(found):
        if "gain" in row:
            of_change = told[str(row["system"])]
            if float(row["at_least"] or 0) > 0:
                of_change["better"].append(row["set"])
            if float(row["at_most"] or 0) < 0:
                of_change["worse"].append(row["set"])
    return told


if __name__ == "__main__":
    main()
