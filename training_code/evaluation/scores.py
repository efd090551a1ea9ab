"""How good the network is on a split: loss, accuracy, what it finds of each class and what it confuses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from contract.evaluation import CONFIDENCE_BINS, Answers, Counts, Measured
from contract.evaluation_size import MAX_LISTED_PICTURES, MAX_MISTAKES
from training_code.data.batches import Batches
from training_code.network.network import Network
from training_code.stopping import StopSignal


@dataclass(frozen=True)
class Evaluation:
    """The result on one split. `labels` and `predicted` are class indices, one per picture, in its order;
    `confidence` is the probability the network gave what it predicted.
    """

    loss: float
    labels: Tensor
    predicted: Tensor
    confidence: Tensor
    classes: int

    @property
    def accuracy(self) -> float:
        """The share of pictures whose class was found, 0 to 1."""
        return int((self.labels == self.predicted).sum()) / len(self.labels)

    def counts(self) -> Counts:
        """Of each class: `count` pictures there are, `predicted` taken for it, `right` of both."""
        count = partial(torch.bincount, minlength=self.classes)
        return {
            "count": count(self.labels).tolist(),
            "predicted": count(self.predicted).tolist(),
            "right": count(self.labels[self.labels == self.predicted]).tolist(),
        }

    def per_class(self) -> list[tuple[float, float, int]]:
        """Precision, recall and picture count of each class; 0 where there is nothing to divide by."""
        of_class = self.counts()
        columns = zip(of_class["count"], of_class["predicted"], of_class["right"], strict=True)
        return [
            (hit / predicted if predicted else 0.0, hit / count if count else 0.0, count)
            for count, predicted, hit in columns
        ]

    def confusion(self) -> Tensor:
        """The cells of the confusion matrix that are not zero, (cells, 3): true class, predicted class, how
        often. The whole matrix grows with the square of the classes.
        """
        pairs, counts = torch.unique(self.labels * self.classes + self.predicted, return_counts=True)
        return torch.stack([pairs // self.classes, pairs % self.classes, counts], dim=1)

    def confused(self, most: int) -> list[tuple[int, int, int]]:
        """The pairs mixed up most often: true class, predicted class, how often."""
        wrong = [cell for cell in self.confusion().tolist() if cell[0] != cell[1]]
        ranked = sorted(wrong, key=lambda cell: -cell[2])
        return [tuple(cell) for cell in ranked[:most]]

    def confidences(self) -> list[int]:
        """How many pictures were answered with a confidence in each bin."""
        bins = (self.confidence.double() * CONFIDENCE_BINS).long().clamp(0, CONFIDENCE_BINS - 1)
        return torch.bincount(bins, minlength=CONFIDENCE_BINS).tolist()

    def misclassified(self, classes: tuple[str, ...], files: tuple[str, ...]) -> list[dict[str, Any]]:
        """The form of evaluation.json: which pictures were taken for what, the surest mistakes first."""
        wrong = (self.labels != self.predicted).nonzero().flatten()
        surest = wrong[self.confidence[wrong].argsort(descending=True, stable=True)]
        return [
            {
                "file": files[picture],
                "class": classes[int(self.labels[picture])],
                "predicted": classes[int(self.predicted[picture])],
                "confidence": round(float(self.confidence[picture]), 6),
            }
            for picture in surest[:MAX_MISTAKES].tolist()
        ]

    def describe(self, fingerprint: str) -> Measured:
        """The form of evaluation.json; what is said of classes is in their order."""
        return {
            "accuracy": self.accuracy,
            "loss": self.loss,
            "count": len(self.labels),
            "fingerprint": fingerprint,
            "per_class": self.counts(),
            "confidence": self.confidences(),
        }

    def answers(self) -> Answers:
        """Picture by picture, in the order of file names: the quality gate pairs them with the champion's."""
        listed = len(self.labels) <= MAX_LISTED_PICTURES
        return {
            "labels": self.labels.tolist() if listed else None,
            "predicted": self.predicted.tolist() if listed else None,
        }


@torch.inference_mode()
def evaluate(network: Network, batches: Batches, classes: int, stop: StopSignal) -> Evaluation:
    """Run the network over a split, pictures as they are; the loss is cross entropy without label smoothing.

    Every process of a `ProcessGroup` runs over its part, and all get the whole result.

    Raises:
        Stopped: the job was told to stop.
    """
    network.eval()
    parts: list[tuple[Tensor, ...]] = []
    for pictures, truth in batches.evaluation():
        if batches.group.size == 1:  # several finish: each has its own number of batches
            stop.check()
        with batches.machine.autocast():
            scores = network(pictures, from_freeze_point=batches.from_freeze_point).float()
        losses = functional.cross_entropy(scores, truth, reduction="none")
        confidence, predicted = scores.softmax(1).max(1)
        parts.append((losses, truth, predicted, confidence))
    mine = tuple(torch.cat(each).cpu() for each in zip(*parts, strict=True)) if parts else ()
    everybody = [part for part in batches.group.all_gather(mine) if part]
    losses, labels, predicted, confidence = (torch.cat(each) for each in zip(*everybody, strict=True))
    return Evaluation(
        loss=float(losses.double().sum()) / len(batches.split),
        labels=labels,
        predicted=predicted,
        confidence=confidence,
        classes=classes,
    )
