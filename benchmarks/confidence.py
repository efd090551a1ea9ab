"""Whether confidence means something: our calibration and marks on networks of which the truth is known.

Dogs and CIFAR-10 get EfficientNet-Lite0's features from ImageNet's weights and a head; digits are trained by
the project's own job from fresh weights and asked in the form that it wrote. What is measured is the
project's code: `training_code.evaluation.answers` chooses on validation pictures, and is judged on others.

Of each set and seed: the calibration error (ten bins of equal width) of raw softmax and of what would be
served, with what chance alone would show for so many pictures; the precision of what is marked certain at a
promised 0.95, and of how many pictures that is. Of dogs and CIFAR-10 all pictures are divided into three
folds, and each is judged once by a network that has not seen it: with the few of a split of their own chance
alone would show an error of 0.03. Then without two classes (dogs: 24), CIFAR-10 by the project's own job too,
all layers of EfficientNet-Lite0 at 160 pixels: how well the likeness tells pictures of these from the others,
beside raw softmax, as areas under the ROC with 95% bootstrap bounds; and how many pictures of the other set
it marks.

    make bench NAME=confidence ARGS="--data path/to/data"    # folders dogs and cifar10

The features take a quarter of an hour on two cores and are kept below .local/bench/confidence, the rest some
minutes. Parts: ARGS="--sets digits --seeds 0".
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.confidence_networks import SIZES, Network, features_of, networks, outputs
from benchmarks.harness import ask_for_pictures, publish
from contract.answers.confidence import Confidence
from training_code.evaluation import answers, likeness
from training_code.evaluation.reliability import reliability

Floats = NDArray[np.floating[Any]]
Row = dict[str, Any]

LEFT_OUT: Final = {"dogs": 24, "cifar10": 2, "digits": 2}
PROMISED: Final = 0.95
DRAWS: Final = 1000


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for and publish it."""
    options = _options(arguments)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    rows: list[Row] = []
    for name in options.sets.split(","):
        for seed in map(int, options.seeds.split(",")):
            for judged in (_confidence, _unknown):
                rows.append({"system": f"{name}, seed {seed}", **judged(name, seed, options)})
                print(json.dumps(rows[-1]), flush=True)
    publish("confidence", rows, _summary(rows))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench NAME=confidence", description=__doc__)
    ask_for_pictures(parser)
    parser.add_argument("--sets", default=",".join(LEFT_OUT))
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--smoothing", type=float, default=0.0, help="of the labels that a head learns")
    options = parser.parse_args(arguments)
    if missing := set(options.sets.split(",")) - LEFT_OUT.keys():
        parser.error(f"there is no set {', '.join(sorted(missing))}; there are {', '.join(LEFT_OUT)}")
    for name in set(options.sets.split(",")) & SIZES.keys():
        if not (options.data / name).is_dir():
            parser.error(f"there is no {name} in {options.data}: name a folder with --data or BENCH_PICTURES")
    return options


def _confidence(name: str, seed: int, options: argparse.Namespace) -> Row:
    """How far confidence is from accuracy, and what was promised and kept."""
    asked = list(networks(name, seed, 0, options.data, options.smoothing))
    forms, certain, right, before, after, hits = [], 0, 0, [], [], []
    for network in asked:
        rule = _rule(network)
        said, labels = network.known("test")
        ok = said.scores.argmax(1) == labels
        marked = rule.certain(said)
        certain, right = certain + int(marked.sum()), right + int((marked & ok).sum())
        before.append(Confidence().first(said.scores))
        after.append(rule.confidence.first(said.scores))
        hits.append(ok)
        forms.append(rule.confidence)
    ok = np.concatenate(hits)
    raw, served = (reliability(np.concatenate(each), ok) for each in (before, after))
    return {
        "pictures": len(ok),
        "accuracy": float(ok.mean()),
        "temperature": float(np.mean([each.temperature for each in forms])),
        "slope": float(np.mean([each.slope for each in forms])),
        "ece_before": raw["ece"],
        "ece": served["ece"],
        "ece_low": served["within"][0],
        "ece_high": served["within"][1],
        "ece_by_chance": served["by_chance"],
        "precision_at_promised_95": right / certain if certain else None,
        "coverage_at_promised_95": certain / len(ok),
    }


def _rule(network: Network) -> answers.Rule:
    references, labels = network.known("references")
    like = likeness.fit(references.features, labels, network.classes, references.looks)
    said, truth = network.known("valid")
    return answers.choose(said, truth, like, PROMISED)


def _unknown(name: str, seed: int, options: argparse.Namespace) -> Row:
    """How well pictures of unknown classes are told, and what the mark makes of both kinds."""
    network = next(networks(name, seed, LEFT_OUT[name], options.data, options.smoothing))
    rule = _rule(network)
    assert rule.likeness is not None
    unknown = network.labels["test"] < 0
    like = rule.likeness.of(network.test.features, network.test.looks)
    softmax = Confidence().first(network.test.scores)
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(DRAWS):
        rows = random.integers(0, len(like), len(like))
        drawn.append(
            [auroc(each[rows][~unknown[rows]], each[rows][unknown[rows]]) for each in (like, softmax)]
        )
    gain = np.diff(np.array(drawn), axis=1)[:, 0] * -1
    marked = rule.unlike(network.test)
    certain = rule.certain(network.test)
    return {
        "unknown": int(unknown.sum()),
        "unknown_auroc": auroc(like[~unknown], like[unknown]),
        "unknown_auroc_softmax": auroc(softmax[~unknown], softmax[unknown]),
        "gain_low": float(np.quantile(gain, 0.025)),
        "false_alarms": float(marked[~unknown].mean()),
        "unknown_marked": float(marked[unknown].mean()),
        "unknown_certain": float(certain[unknown].mean()),
        **_elsewhere(name, network, rule, options),
    }


def _elsewhere(name: str, network: Network, rule: answers.Rule, options: argparse.Namespace) -> Row:
    """What is made of another set: by models of dogs or digits, of everyday things in 32 pixels."""
    far = network.far
    if far is None:
        (other,) = SIZES.keys() - {name}
        stored = np.load(features_of(other, options.data))
        features = stored["features"] / network.scale
        far = outputs(np.zeros((len(features), network.classes)), features, stored["looks"])
    return {"other_set_marked": float(rule.unlike(far).mean())}


def auroc(known: Floats, unknown: Floats) -> float:
    """How likely a known picture has the higher value of the two kinds; half for equal ones."""
    values = np.concatenate([known, unknown])
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    above = ranks[: len(known)].sum() - len(known) * (len(known) + 1) / 2
    return float(above / (len(known) * len(unknown)))


def _summary(rows: Sequence[Row]) -> dict[str, Any]:
    """The worst of each over sets and seeds; calibration is of pictures, unknown of small ones."""
    pictures = [row for row in rows if row["system"].startswith(tuple(SIZES))]
    few = [row for row in rows if not row["system"].startswith("dogs")]
    summary: dict[str, Any] = {}
    for key, worst, of in (
        ("ece", max, pictures),
        ("ece_before", max, pictures),
        ("precision_at_promised_95", min, rows),
        ("coverage_at_promised_95", min, rows),
        ("unknown_auroc", min, few),
        ("unknown_auroc_softmax", min, few),
    ):
        values = [row[key] for row in of if row.get(key) is not None]
        if values:
            summary[key] = worst(values)
    for name in LEFT_OUT:
        of_set = [row for row in rows if row["system"].startswith(f"{name},") and "unknown" in row]
        if of_set:
            summary[f"unknown_auroc_{name}"] = min(row["unknown_auroc"] for row in of_set)
            summary[f"above_softmax_{name}"] = all(row["gain_low"] > 0 for row in of_set)
    return summary


if __name__ == "__main__":
    main()
