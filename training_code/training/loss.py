"""The loss of a step, what each class weighs in it, and why it may have stopped being a number."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from training_code.config import Config

_USUAL: Final = 0.1
"""Hardly any training of a residual network goes well with a higher learning rate."""


class Loss:
    """Cross entropy, averaged over all pictures of a step, also those in other processes."""

    def __init__(self, config: Config, labels: Tensor, classes: int, device: torch.device) -> None:
        """`labels` are those of the whole training split: rare classes can be weighed by them."""
        self._smoothing = config.label_smoothing
        self._weights: Tensor | None = None
        weights = class_weights(config, labels, classes)
        if weights is not None:
            self._weights = weights.to(device)

    def __call__(self, scores: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """The sum over these pictures, and what has to be divided by to get a mean: both scalars."""
        total = functional.cross_entropy(
            scores.float(), labels, self._weights, reduction="sum", label_smoothing=self._smoothing
        )
        if self._weights is None:
            return total, torch.tensor(float(len(labels)), device=total.device)
        return total, self._weights[labels].sum()


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
