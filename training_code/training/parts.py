"""The parts of a training: a probe of the head alone where one is asked for, then all that is trained.

Each has steps and an optimizer of its own. Which epoch belongs to which, the configuration tells.
"""

from __future__ import annotations

import gc
from dataclasses import replace

from torch import Tensor, nn

from training_code.config import Config
from training_code.data.batches import Batches
from training_code.network.model import compiled
from training_code.network.network import Network
from training_code.stopping import StopSignal
from training_code.training.optimizer import Optimizer
from training_code.training.probe import at_head


class Parts:
    """What the part under way trains, on what, and with which optimizer.

    Attributes:
        batches: those it trains on.
        valid: those it is judged by.
        optimizer: steps what it trains.
        stepped: the network as a step calls it.
    """

    optimizer: Optimizer
    stepped: nn.Module

    def __init__(self, network: Network, batches: Batches, valid: Batches, config: Config) -> None:
        self.batches, self.valid = self._whole = batches, valid
        self._network, self._config = network, config
        self._freeze_point = network.freeze_point
        self._trained = tuple(network.trained_state())
        self.begin(1)

    def begin(self, epoch: int) -> None:
        """Make ready to train what this epoch trains."""
        self.batches, self.valid = self._whole
        self.freeze(epoch)
        self.optimizer = Optimizer(self._network, self._config, self._network.depths())
        if self.__dict__.pop("stepped", None) is not None:
            gc.collect()  # what several processes hook to gradients is gone before there are other hooks
        self.stepped = self.batches.group.data_parallel(compiled(self._network, self._config))

    def begins_with(self, epoch: int) -> bool:
        """Whether this epoch is the first after the probe."""
        return epoch == self._config.probing + 1 > 1

    def freeze(self, epoch: int | None = None) -> None:
        """Let be trained what this epoch trains; without one, all that is ever trained."""
        if self._config.probing:
            head = len(self._network.stage_names) - 1
            point = head if epoch is not None and epoch <= self._config.probing else self._freeze_point
            self._network.freeze_before(self._network.stage_names[point])

    def feed(self, epoch: int, stop: StopSignal) -> None:
        """Where this epoch is the probe's, compute what the head is fed.

        Raises:
            Stopped: the job was told to stop.
        """
        if epoch > self._config.probing:
            return
        self.freeze()
        fed = [at_head(self._network, each, self._config.probing, stop) for each in self._whole]
        self.freeze(epoch)
        if not self._network.is_cut:  # then it takes pictures
            fed = [replace(each, features=None) for each in fed]
        self.batches, self.valid = fed

    def state(self) -> dict[str, Tensor]:
        """All of the network that training ever changes; a probe leaves some of it as it was."""
        state = self._network.state_dict()
        return {name: state[name] for name in self._trained}
