"""Where a training is, and what came out of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from training_code.evaluation.scores import Evaluation
from training_code.network.resnet import ResNet


@dataclass(frozen=True)
class Epoch:
    """What one epoch came to. `seconds` are those of training and validation, all attempts together."""

    epoch: int
    train_loss: float
    valid_loss: float
    valid_accuracy: float
    learning_rate: float
    seconds: float
    images_per_second: float


@dataclass
class Progress:
    """Where training is: `step` steps of `epoch` are done (epochs count from 1)."""

    epoch: int = 1
    step: int = 0
    seconds: float = 0.0
    history: list[Epoch] = field(default_factory=list)
    best: int = 0

    @property
    def best_epoch(self) -> Epoch | None:
        return self.history[self.best - 1] if self.best else None


@dataclass(frozen=True)
class Trained:
    """What came out: the network holds the best epoch's weights. `stopped` when told to, before the end.

    `validated` is the best epoch's result on the validation split, None when it was an earlier attempt's.
    """

    network: ResNet
    history: tuple[Epoch, ...]
    best: Epoch
    validated: Evaluation | None
    stopped: bool
