"""What the network is fed: pictures picked, varied and normalised, one step at a time.

A training batch is a function of the seed, the epoch and the step alone. Resuming at step 137 therefore
means asking for step 137. Where the frozen part's answers are known (`features`), they are fed instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from training_code.config import Config
from training_code.data.augmentation import PLAIN, Views
from training_code.data.feature_cache import Features
from training_code.data.pictures import Transform
from training_code.data.split import Split
from training_code.distributed.process_group import World
from training_code.hardware.machine import Machine, at_once
from training_code.seeds import generator

_AHEAD: Final = 2
"""Steps made ready while a GPU computes."""


@dataclass(frozen=True)
class Batches:
    """Feeds one split to the network on one machine, or this process's part of it."""

    split: Split
    transform: Transform
    config: Config
    machine: Machine
    views: Views = PLAIN
    features: Features | None = None
    world: World = field(default_factory=World)

    @property
    def steps(self) -> int:
        """Training steps in an epoch. No process is left with a single picture: batch statistics need two."""
        least = 2 * self.world.size
        return max(1, min(-(-len(self.split) // self.config.batch_size), len(self.split) // least))

    @property
    def sizes(self) -> list[int]:
        """How many pictures each step of an epoch has, in all processes together."""
        return [len(rows) for rows in torch.arange(len(self.split)).tensor_split(self.steps)]

    def training(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """What this process sees in one step of one epoch: squares (n, side, side, 3) of pixels, or features,
        and labels (n,).

        Every picture comes once per epoch; steps differ in size by at most one. Both are still in the
        machine's memory; `input` makes of the first what the network takes.
        """
        rows = self._order(epoch)[step]
        views = self.views.drawn(len(rows), generator(self.config.seed, "augment", epoch, step))
        rows, views = self.world.mine(rows), self.world.mine(views)
        if self.features is not None:
            return self.features.picked(rows, views), self.split.labels[rows]
        return self.views.shown(self.split.squares.picked(rows), views), self.split.labels[rows]

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
        mine = self.world.mine(torch.arange(len(self.split)))
        most = at_once(self.config.image_size, self.machine.device, from_cut=self.from_cut)
        for start in range(0, len(mine), most):
            rows = mine[start : start + most]
            if self.features is not None:
                shown = self.features.picked(rows, torch.zeros_like(rows))
            else:
                shown = self.split.squares.picked(rows)
            yield self.input(shown), self.machine.put(self.split.labels[rows])

    def input(self, shown: Tensor) -> Tensor:
        """What the network takes: normalised pictures (n, 3, side, side), or features as they are."""
        if self.features is not None:
            return self.features.ready(shown, self.machine)
        return normalised(shown, self.transform, self.machine)

    @property
    def from_cut(self) -> bool:
        """Whether `input` gives what the frozen part would."""
        return self.features is not None

    def _order(self, epoch: int) -> tuple[Tensor, ...]:
        return _shuffled(len(self.split), self.steps, self.config.seed, epoch)

    def _pinned(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        shown, labels = self.training(epoch, step)
        return shown.pin_memory(), labels.pin_memory()


def normalised(squares: Tensor, transform: Transform, machine: Machine) -> Tensor:
    """Float pictures (n, 3, side, side) on the device, in its order, from bytes (n, side, side, 3)."""
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (transform.mean, transform.std))
    pictures = machine.put(squares).permute(0, 3, 1, 2).to(torch.float32, memory_format=machine.memory_format)
    return pictures.div_(255).sub_(machine.put(mean)).div_(machine.put(std))


@lru_cache(maxsize=1)
def _shuffled(count: int, steps: int, seed: int, epoch: int) -> tuple[Tensor, ...]:
    order = torch.randperm(count, generator=generator(seed, "order", epoch))
    return torch.tensor_split(order, steps)
