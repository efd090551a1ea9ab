"""What the network is fed: pictures picked, varied and normalised, one step at a time.

A training batch is a function of the seed, the epoch and the step alone. Resuming at step 137 therefore
means asking for step 137. Where the frozen part's answers are known (`feature_cache`), they are fed instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from contract.pictures.transform import Transform
from training_code.config import Config
from training_code.data.augmentation import Augmentation
from training_code.data.dataset import Dataset
from training_code.data.decoded_images import normalised
from training_code.data.feature_cache import FeatureCache, Features
from training_code.data.split import Split
from training_code.distributed.process_group import ProcessGroup
from training_code.hardware.machine import Machine, at_once
from training_code.network.network import Network
from training_code.seeds import generator
from training_code.stopping import StopSignal

_AHEAD: Final = 2
"""Steps made ready while a GPU computes."""


@dataclass(frozen=True)
class Batches:
    """Feeds one split to the network on one machine, or this process's part of it."""

    split: Split
    transform: Transform
    config: Config
    machine: Machine
    augmentation: Augmentation = field(default_factory=Augmentation)
    features: Features | None = None
    group: ProcessGroup = field(default_factory=ProcessGroup)

    @property
    def steps(self) -> int:
        """Training steps in an epoch. No process is left with a single picture: batch statistics need two."""
        least = 2 * self.group.size
        return max(1, min(-(-len(self.split) // self.config.batch_size), len(self.split) // least))

    @property
    def sizes(self) -> list[int]:
        """How many pictures each step of an epoch has, in all processes together."""
        return [len(rows) for rows in torch.arange(len(self.split)).tensor_split(self.steps)]

    def training(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """What this process sees in a step: squares (n, side, side, 3), or features, and labels (n,).

        Every picture comes once per epoch; steps differ in size by at most one. Both are still in the
        machine's memory; `input` makes of the first what the network takes.
        """
        rows = self._order(epoch)[step]
        variants = self.augmentation.draw(len(rows), generator(self.config.seed, "augment", epoch, step))
        rows, variants = self.group.part(rows), self.group.part(variants)
        return self.pick(rows, variants), self.split.labels[rows]

    def pick(self, rows: Tensor, variants: Tensor) -> Tensor:
        """These pictures (n,) in these variants (n,), for `input`."""
        if self.features is not None:
            return self.features.pick(rows, variants)
        return self.augmentation.apply(self.split.images.pick(rows), variants)

    def epoch(self, epoch: int, first: int) -> Iterator[tuple[Tensor, Tensor]]:
        """`training` of the steps of an epoch from `first` on; for a GPU some steps ahead.

        A CPU that trains has no core to spare, and picking is a hundredth of a step there.
        """
        steps = range(first, self.steps)
        if self.machine.device.type == "cpu":
            yield from (self.training(epoch, step) for step in steps)
            return
        with ThreadPoolExecutor(1) as pool:
            waiting = [pool.submit(self._pinned, epoch, step) for step in steps[:_AHEAD]]
            for step in steps:
                ready = waiting.pop(0).result()
                if step + _AHEAD < self.steps:
                    waiting.append(pool.submit(self._pinned, epoch, step + _AHEAD))
                yield ready

    def evaluation(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All pictures of this process as they are, ready for the network, and their labels, in order."""
        mine = self.group.part(torch.arange(len(self.split)))
        most = at_once(self.config.image_size, self.machine.device, from_freeze_point=self.from_freeze_point)
        for start in range(0, len(mine), most):
            rows = mine[start : start + most]
            if self.features is not None:
                examples = self.features.pick(rows, torch.zeros_like(rows))
            else:
                examples = self.split.images.pick(rows)
            yield self.input(examples), self.machine.put(self.split.labels[rows])

    def unvaried(self, rows: Tensor) -> Tensor:
        """These pictures as evaluation sees them, be it training pictures, ready for the network.

        Where there are features, it is the first variant's.
        """
        if self.features is not None:
            return self.input(self.features.pick(rows, torch.zeros_like(rows)))
        return self.input(self.squares(rows))

    def squares(self, rows: Tensor) -> Tensor:
        """The pixels of these pictures as evaluation sees them, uint8 (n, side, side, 3)."""
        margin, side = self.split.images.margin, self.transform.crop
        return self.split.images.pick(rows)[:, margin : margin + side, margin : margin + side]

    def input(self, examples: Tensor) -> Tensor:
        """What the network takes: normalised pictures (n, 3, side, side), or features as they are."""
        if self.features is not None:
            return self.features.ready(examples, self.machine)
        return normalised(examples, self.transform, self.machine)

    def pieces(self, network: Network, examples: Tensor) -> list[slice]:
        """Which of a step's examples go forward and backward together.

        All do where stages before the freeze point are done, where several processes average the gradients,
        which they do at each backward, and where the network follows its batches.
        """
        # The network last: looking through its modules takes half as long as a step of a head alone.
        if self.from_freeze_point or self.group.size > 1 or network.follows_batches:
            return [slice(None)]
        return self.machine.pieces(examples)

    @property
    def from_freeze_point(self) -> bool:
        """Whether `input` gives what the frozen part would."""
        return self.features is not None

    def _order(self, epoch: int) -> tuple[Tensor, ...]:
        return _shuffled(len(self.split), self.steps, self.config.seed, epoch)

    def _pinned(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        examples, labels = self.training(epoch, step)
        return examples.pin_memory(), labels.pin_memory()


def of_dataset(
    dataset: Dataset,
    config: Config,
    machine: Machine,
    group: ProcessGroup,
    cache: FeatureCache | None,
    stop: StopSignal,
) -> tuple[Batches, Batches, Batches]:
    """The batches of train, valid and test: of features where the cache has a use for them, else of pixels.

    Raises:
        Stopped: the job was told to stop.
    """

    def batches(split: Split) -> Batches:
        features = cache.features(split, stop) if cache else None
        if features is not None:
            split.images.release()
        augmentation = Augmentation.of(config, split.name)
        return Batches(split, dataset.transform, config, machine, augmentation, features, group)

    train, valid, test = (batches(split) for split in dataset.splits)
    return train, valid, test


@lru_cache(maxsize=1)
def _shuffled(count: int, steps: int, seed: int, epoch: int) -> tuple[Tensor, ...]:
    order = torch.randperm(count, generator=generator(seed, "order", epoch))
    return torch.tensor_split(order, steps)
