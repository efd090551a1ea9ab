"""Where a training is, and what came out of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Final

from torch import Tensor

from training_code.config import Config
from training_code.evaluation.scores import Evaluation
from training_code.network.network import Network

_SECONDS_BETWEEN: Final = 10.0


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

    def is_best(self, epoch: Epoch, config: Config) -> bool:
        """Better by the objective; equal accuracies, common in small splits, are told apart by the loss."""
        best = self.best_epoch
        if best is None:
            return True
        if config.maximize:
            return (epoch.valid_accuracy, -epoch.valid_loss) > (best.valid_accuracy, -best.valid_loss)
        return epoch.valid_loss < best.valid_loss

    def out_of_patience(self, config: Config) -> bool:
        """Whether too many epochs have brought nothing, those of a probe not counted."""
        done = len(self.history)
        if not config.patience or done - max(self.best, config.probing) < config.patience:
            return False
        print(
            f"no better {config.objective} since epoch {self.best}, {done - self.best} epochs ago: "
            f"training ends early",
            flush=True,
        )
        return True


@dataclass(frozen=True)
class Trained:
    """What came out: the network holds the best epoch's weights. `stopped` when told to, before the end.

    `validated` is the best epoch's result on the validation split, None when it was an earlier attempt's.
    """

    network: Network
    history: tuple[Epoch, ...]
    best: Epoch
    validated: Evaluation | None
    stopped: bool


class Reporter:
    """Prints how far training is, now and then, in words no metric definition matches.

    `total` steps are to be done, `done` of them in an earlier attempt.
    """

    def __init__(self, total: int, done: int = 0) -> None:
        self._total = total
        self._start = self._printed = time.perf_counter()
        self._first = done
        self._pictures = 0

    def step(self, done: int, pictures: int, loss: Tensor) -> None:
        """After every step: `done` steps of all, `pictures` in this one."""
        self._pictures += pictures
        now = time.perf_counter()
        if now - self._printed < _SECONDS_BETWEEN:
            return
        self._printed = now
        elapsed = now - self._start
        left = elapsed / (done - self._first) * (self._total - done)
        print(
            f"step {done} of {self._total}: loss {float(loss):.4f}, "
            f"{self._pictures / elapsed:.0f} images/s, about {left:.0f} s left",
            flush=True,
        )
