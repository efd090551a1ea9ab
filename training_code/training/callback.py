"""Callbacks of the training loop, such as the debugger and the profiler: what they are told, and when.

A step is told in this order: `step_begins`; `phase` with each of `PHASES`, as that phase begins; `step_ends`,
which ends the last. Where a step's pictures go through the network in pieces, "forward" and "backward" are
told of each. When "optimizer" begins, the gradients of this step are in the parameters' `grad`; when
it has ended they are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from torch import Tensor

    from training_code.config import Config
    from training_code.data.batches import Batches
    from training_code.evaluation.scores import Evaluation
    from training_code.network.network import Network
    from training_code.training.progress import Epoch, Trained

PHASES: Final = ("data", "to_device", "forward", "backward", "optimizer")
"""The parts of a step, in their order."""


class Callback:
    """Does nothing. One that does something overrides what it needs.

    Every method is called between two pieces of work of the loop, so what a callback does is time the
    training waits for. `step_ends` and `epoch_ends` may raise `stopping.Stopped` to end the training: its
    state is whole then, and the model of the best epoch so far is kept.
    """

    def training_begins(self, network: Network, config: Config, batches: Batches) -> None:
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
        for name in (each for each in vars(Callback) if not each.startswith("_")):
            setattr(self, name, partial(_call, [getattr(each, name) for each in callbacks]))


def _call(methods: Sequence[Callable[..., None]], *arguments: object) -> None:
    for method in methods:
        method(*arguments)
