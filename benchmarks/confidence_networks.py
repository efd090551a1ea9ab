"""The networks that the confidence benchmark asks: heads on Lite0's features, and some by our own job."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from benchmarks.confidence_trained import trained
from benchmarks.harness import ROOT
from training_code.evaluation.outputs import Outputs

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.int64]

SIZES: Final = {"dogs": 224, "cifar10": 192}
"""The sets that Lite0 is shown, and pixels of a side."""
KEPT: Final = ROOT / ".local" / "bench" / "confidence"
VALID: Final = 600
"""Validation pictures of a head on features."""
EPOCHS: Final = 30


@dataclass(frozen=True)
class Network:
    """What a trained network says: `references` of training pictures, the others of pictures it never saw."""

    references: Outputs
    valid: Outputs
    test: Outputs
    labels: dict[str, Labels]
    """Of `references`, `valid` and `test`; -1 is a class that it does not know."""
    classes: int
    scale: float = 1.0
    """What features were divided by."""
    far: Outputs | None = None
    """What it says of pictures of another kind, where it was asked."""

    def known(self, name: str) -> tuple[Outputs, Labels]:
        """Its outputs of a part's pictures of known classes, and their labels."""
        said: Outputs = getattr(self, name)
        rows = self.labels[name] >= 0
        return outputs(said.scores[rows], said.features[rows], said.looks[rows]), self.labels[name][rows]


def networks(name: str, seed: int, left_out: int, data: Path, smoothing: float) -> Iterator[Network]:
    """The networks that together judge each test picture once; without `left_out` classes one does."""
    if name == "digits" or (name == "cifar10" and left_out):
        yield _trained(name, seed, left_out, data)
        return
    random = np.random.default_rng(seed)
    stored = np.load(features_of(name, data))
    features, looks, labels = stored["features"], stored["looks"], stored["labels"]
    unknown = random.choice(labels.max() + 1, left_out, replace=False)
    for fold in np.array_split(random.permutation(len(labels)), 3)[: 1 if left_out else 3]:
        rest = random.permutation(np.setdiff1d(np.arange(len(labels)), fold))
        yield head(features, looks, labels, unknown, (rest[VALID:], rest[:VALID], fold), seed, smoothing)


def head(
    features: Floats,
    looks: Floats,
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
    scale = float(features[train].std())
    features = features / scale
    torch.manual_seed(seed)
    linear = torch.nn.Linear(features.shape[1], len(known))
    inputs, truth = torch.from_numpy(features[train]).float(), torch.from_numpy(mapped[train])
    optimizer = torch.optim.AdamW(linear.parameters(), lr=3e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(inputs)).split(256):  # type: ignore[no-untyped-call]
            optimizer.zero_grad()
            loss = functional.cross_entropy(linear(inputs[rows]), truth[rows], label_smoothing=smoothing)
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        schedule.step()
    with torch.inference_mode():
        said = [
            outputs(linear(torch.from_numpy(features[rows]).float()).numpy(), features[rows], looks[rows])
            for rows in (train, valid, test)
        ]
    names = ("references", "valid", "test")
    of = {name: mapped[rows] for name, rows in zip(names, (train, valid, test), strict=True)}
    references, of_valid, of_test = said
    return Network(references, of_valid, of_test, of, len(known), scale)


def outputs(scores: Floats, features: Floats, looks: Floats) -> Outputs:
    """Of some pictures, all of them."""
    return Outputs(
        rows=np.arange(len(scores)), scores=scores, features=features.astype(np.float32), looks=looks
    )


def features_of(name: str, data: Path) -> Path:
    """The head's inputs of a set's pictures, computed once, by a process whose memory ends with it."""
    path = KEPT / f"{name}-{SIZES[name]}.npz"
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        program = [
            sys.executable,
            str(ROOT / "benchmarks" / "peers" / "confidence_lite0.py"),
            *(str(data / name), str(path), "--size", str(SIZES[name])),
        ]
        subprocess.run(program, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    return path


def _trained(name: str, seed: int, left_out: int, data: Path) -> Network:
    """The project's own training, and what its serving form says; see `confidence_trained.py`."""
    far = photographs(data / ("cifar10" if name == "digits" else "dogs"))
    with tempfile.TemporaryDirectory() as scratch:
        said, labels, classes = trained(Path(scratch), name, data, seed, left_out, far)
    references, valid, test, elsewhere = (outputs(*each) for each in said)
    return Network(references, valid, test, labels, classes, far=elsewhere)


def photographs(of: Path) -> list[Path]:
    """Some pictures of everyday things, evenly over the classes."""
    return [path for folder in sorted((of / "test").iterdir()) for path in sorted(folder.iterdir())[:20]]
