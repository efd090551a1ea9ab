"""How good the network is on a split: loss, accuracy, what it finds of each class and what it confuses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from training_code.batches import Batches
from training_code.stopping import StopSignal

MAX_MATRIX_CLASSES: Final = 1000
"""Beyond, the confusion matrix is left out of the JSON: it grows with the square of the classes."""
MAX_LISTED_PICTURES: Final = 200_000
"""Beyond, the single predictions are left out of the JSON."""


@dataclass(frozen=True)
class Evaluation:
    """The result on one split. `labels` and `predicted` are class indices, one per picture, in its order."""

    loss: float
    labels: Tensor
    predicted: Tensor
    classes: int

    @property
    def accuracy(self) -> float:
        """The share of pictures whose class was found, 0 to 1."""
        return int((self.labels == self.predicted).sum()) / len(self.labels)

    def per_class(self) -> list[tuple[float, float, int]]:
        """Precision, recall and picture count of each class; 0 where there is nothing to divide by."""
        right = torch.bincount(self.labels[self.labels == self.predicted], minlength=self.classes).tolist()
        told = torch.bincount(self.predicted, minlength=self.classes).tolist()
        there = torch.bincount(self.labels, minlength=self.classes).tolist()
        return [
            (hit / said if said else 0.0, hit / count if count else 0.0, count)
            for hit, said, count in zip(right, told, there, strict=True)
        ]

    def confusion(self) -> list[list[int]]:
        """Rows are true classes, columns predicted ones."""
        pairs = self.labels * self.classes + self.predicted
        return torch.bincount(pairs, minlength=self.classes**2).view(self.classes, self.classes).tolist()

    def confused(self, most: int) -> list[tuple[int, int, int]]:
        """The pairs mixed up most often: true class, predicted class, how often."""
        wrong = self.labels != self.predicted
        pairs, counts = torch.unique(
            self.labels[wrong] * self.classes + self.predicted[wrong], return_counts=True
        )
        ranked = sorted(
            zip(counts.tolist(), pairs.tolist(), strict=True), key=lambda each: (-each[0], each[1])
        )
        return [(pair // self.classes, pair % self.classes, count) for count, pair in ranked[:most]]

    def describe(self, classes: tuple[str, ...], fingerprint: str) -> dict[str, Any]:
        """The form of evaluation.json."""
        return {
            "accuracy": self.accuracy,
            "loss": self.loss,
            "count": len(self.labels),
            "fingerprint": fingerprint,
            "per_class": [
                {"class": name, "precision": precision, "recall": recall, "count": count}
                for name, (precision, recall, count) in zip(classes, self.per_class(), strict=True)
            ],
            "confusion": self.confusion() if self.classes <= MAX_MATRIX_CLASSES else None,
            # Picture by picture, in the order of file names: the quality gate pairs them with the champion's.
            "labels": self.labels.tolist() if len(self.labels) <= MAX_LISTED_PICTURES else None,
            "predicted": self.predicted.tolist() if len(self.labels) <= MAX_LISTED_PICTURES else None,
        }


@torch.inference_mode()
def evaluate(network: nn.Module, batches: Batches, classes: int, stop: StopSignal) -> Evaluation:
    """Run the network over a split, pictures as they are; the loss is cross entropy without label smoothing.

    Raises:
        Stopped: the job was told to stop.
    """
    network.eval()
    losses: list[Tensor] = []
    labels: list[Tensor] = []
    predicted: list[Tensor] = []
    for pictures, truth in batches.evaluation():
        stop.check()
        with batches.machine.autocast():
            scores = network(pictures).float()
        losses.append(functional.cross_entropy(scores, truth, reduction="sum"))
        predicted.append(scores.argmax(1))
        labels.append(truth)
    return Evaluation(
        loss=float(torch.stack(losses).double().sum()) / len(batches.split),
        labels=torch.cat(labels).cpu(),
        predicted=torch.cat(predicted).cpu(),
        classes=classes,
    )
