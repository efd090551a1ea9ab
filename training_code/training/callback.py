"""Callbacks of the training loop: what they are told, and when.

The debugger and the profiler are callbacks. The loop calls them and knows nothing else of them; without one
it calls `Callback`, whose methods do nothing.

A step is told in this order: `step_begins`; `phase` with "data", "to_device", "forward", "backward" and
"optimizer", each as that phase begins; `step_ends`, which ends the last. When "optimizer" begins, the
gradients of this step are in the parameters' `grad`; when it has ended they are gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

    from training_code.config import Config
    from training_code.data.batches import Batches
    from training_code.evaluation.scores import Evaluation
    from training_code.network.resnet import ResNet
    from training_code.training.progress import Epoch, Trained

PHASES: Final = ("data", "to_device", "forward", "backward", "optimizer")
"""The parts of a step, in their order."""


class Callback:
    """Does nothing. One that does something overrides what it needs.

    Every method is called between two pieces of work of the loop, so what a callback does is time the
    training waits for. `step_ends` and `epoch_ends` may raise `stopping.Stopped` to end the training: its
    state is whole then, and the model of the best epoch so far is kept.
    """

    def training_begins(self, network: ResNet, config: Config, batches: Batches) -> None:
        """Once, before the first step of this process, after a checkpoint has been taken up."""

    def step_begins(self, epoch: int, step: int) -> None:
        """Before a step; epochs count from 1, steps of an epoch from 0."""

    def phase(self, name: str) -> None:
        """As each of `PHASES` begins, in every step."""

    def step_ends(self, loss: Tensor) -> None:
        """After a step; `loss` is its mean loss, a scalar on the device (reading it waits for a GPU)."""

    def epoch_ends(self, epoch: Epoch, validation: Evaluation) -> None:
        """After an epoch's validation, which came to `validation`, before its checkpoint."""

    def training_ends(self, trained: Trained) -> None:
        """Once, when training is over or was stopped after an epoch; the network is the best one's."""


class Callbacks(Callback):
    """Several callbacks, called in their order."""

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self._callbacks = tuple(callbacks)

    def training_begins(self, network: ResNet, config: Config, batches: Batches) -> None:
        for each in self._callbacks:
            each.training_begins(network, config, batches)

    def step_begins(self, epoch: int, step: int) -> None:
        for each in self._callbacks:
            each.step_begins(epoch, step)

    def phase(self, name: str) -> None:
        for each in self._callbacks:
            each.phase(name)

    def step_ends(self, loss: Tensor) -> None:
        for each in self._callbacks:
            each.step_ends(loss)

    def epoch_ends(self, epoch: Epoch, validation: Evaluation) -> None:
        for each in self._callbacks:
            each.epoch_ends(epoch, validation)

    def training_ends(self, trained: Trained) -> None:
        for each in self._callbacks:
            each.training_ends(trained)
