"""The loss of a step, what each class weighs in it, and why it may have stopped being a number."""

from __future__ import annotations

from random import Random
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from training_code.config import Config
from training_code.seeds import generator

_USUAL: Final = 0.1
"""Hardly any training of a residual network goes well with a higher learning rate."""


class Loss:
    """Cross entropy, averaged over all pictures of a step, also those in other processes."""

    def __init__(self, config: Config, labels: Tensor, classes: int, device: torch.device) -> None:
        """`labels` are those of the whole training split: rare classes can be weighed by them."""
        self._smoothing, self._mixup, self._seed = config.label_smoothing, config.mixup, config.seed
        self._weights: Tensor | None = None
        weights = class_weights(config, labels, classes)
        if weights is not None:
            self._weights = weights.to(device)

    def share(self, epoch: int, step: int) -> float:
        """What a picture makes up of a mixture in this step, from the beta distribution; 1 without any."""
        if not self._mixup:
            return 1.0
        seed = generator(self._seed, "mixup", epoch, step).initial_seed()
        return Random(seed).betavariate(self._mixup, self._mixup)  # noqa: S311 (repeatable on purpose)

    def __call__(self, scores: Tensor, labels: Tensor, others: Tensor, share: float = 1.0) -> Tensor:
        """The sum over these pictures, a scalar.

        Of mixtures, whose target is `share` one label and for the rest the other's, cross entropy is the
        mean of both labels' in these shares.
        """
        total = self._summed(scores, labels)
        return total if share == 1 else total * share + self._summed(scores, others) * (1 - share)

    def weight(self, labels: Tensor) -> Tensor:
        """What the sum over all pictures of a step is divided by to get their mean, a scalar."""
        if self._weights is None:
            return torch.tensor(float(len(labels)), device=labels.device)
        return self._weights[labels].sum()

    def _summed(self, scores: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(
            scores.float(), labels, self._weights, reduction="sum", label_smoothing=self._smoothing
        )


def mixed(pictures: Tensor, labels: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Each picture, or what is fed of it, in this share with another of the step (arXiv 1710.09412), and the
    labels of the others.
    """
    return (pictures if share == 1 else torch.lerp(pictures.flip(0), pictures, share)), labels.flip(0)


def class_weights(config: Config, labels: Tensor, classes: int) -> Tensor | None:
    """What each class weighs in the loss, (classes,); None for all alike."""
    return balanced(labels, classes) if config.class_weights == "balanced" else None


def balanced(labels: Tensor, classes: int) -> Tensor:
    """A weight per class, (classes,): one over its pictures, scaled so that the mean picture weighs one."""
    counts = torch.bincount(labels, minlength=classes).float()
    return len(labels) / (classes * counts.clamp(min=1))


def likely_cause(config: Config, rate: float) -> str:
    """What most likely made a loss infinite or no number, and what to try. `rate` was the learning rate."""
    if config.optimizer == "adamw" and config.eps < 1e-12:
        return f"most likely eps={config.eps:g} is too small; 1e-8 is usual"
    return (
        f"most likely the learning rate ({rate:.3g} at that step) is too high; "
        f"try learning_rate={min(config.learning_rate / 10, _USUAL):.3g}, or a longer warm-up"
    )
