"""What the network is fed: pixels picked, varied and normalised, one step at a time.

A training batch is a function of the seed, the epoch and the step alone. Resuming at step 137 therefore
means asking for step 137.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import torch
from torch import Tensor

from training_code.config import Config
from training_code.data import Split
from training_code.machine import Machine
from training_code.pictures import Transform
from training_code.seeds import generator

EVALUATION_BATCH: Final = 128
"""Pictures at once where no gradients are kept."""


@dataclass(frozen=True)
class Batches:
    """Feeds one split to the network on one machine."""

    split: Split
    transform: Transform
    config: Config
    machine: Machine

    @property
    def steps(self) -> int:
        """Training steps in an epoch. No batch is left with a single picture: batch statistics need two."""
        return max(1, min(-(-len(self.split) // self.config.batch_size), len(self.split) // 2))

    @property
    def sizes(self) -> list[int]:
        """How many pictures each step of an epoch has."""
        return [len(rows) for rows in torch.arange(len(self.split)).tensor_split(self.steps)]

    def training(self, epoch: int, step: int) -> tuple[Tensor, Tensor]:
        """The pixels (n, side, side, 3) and labels (n,) of one step of one epoch, varied as configured.

        Every picture comes once per epoch; batches differ in size by at most one. Both are still in the
        machine's memory; `input` makes of pixels what the network takes.
        """
        rows = self._order(epoch)[step]
        random = generator(self.config.seed, "augment", epoch, step)
        pixels = varied(
            self.split.pixels, self.split.rows[rows], self.transform.crop, self.config.augment, random
        )
        return pixels, self.split.labels[rows]

    def evaluation(self) -> Iterator[tuple[Tensor, Tensor]]:
        """All pictures as they are and their labels, in the order of the split."""
        for start in range(0, len(self.split), EVALUATION_BATCH):
            rows = torch.arange(start, min(start + EVALUATION_BATCH, len(self.split)))
            pixels = self.split.pixels[self.split.rows[rows]]
            yield self.input(pixels), self.machine.put(self.split.labels[rows])

    def _order(self, epoch: int) -> tuple[Tensor, ...]:
        return _shuffled(len(self.split), self.steps, self.config.seed, epoch)

    def input(self, pixels: Tensor) -> Tensor:
        """Normalised float pictures from (n, side, side, 3) bytes; the layout stays channels-last."""
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (self.transform.mean, self.transform.std))
        pictures = self.machine.put(pixels).permute(0, 3, 1, 2).float()
        return pictures.div_(255).sub_(self.machine.put(mean)).div_(self.machine.put(std))


@lru_cache(maxsize=1)
def _shuffled(count: int, steps: int, seed: int, epoch: int) -> tuple[Tensor, ...]:
    order = torch.randperm(count, generator=generator(seed, "order", epoch))
    return torch.tensor_split(order, steps)


def varied(pixels: Tensor, rows: Tensor, side: int, augment: str, random: torch.Generator) -> Tensor:
    """Pictures picked by `rows`, cut to `side` at random places and mirrored at random, as `augment` says.

    Args:
        pixels: (pictures, larger or equal side, the same, 3), uint8.
        rows: which of them, (n,).
        side: of the result, in pixels.
        augment: none, flip, crop or crop-flip.
        random: where chance comes from.

    Returns:
        (n, side, side, 3), uint8.
    """
    spare = pixels.shape[1] - side
    if spare:
        corners = torch.randint(spare + 1, (len(rows), 2), generator=random).tolist()
        picked = torch.empty((len(rows), side, side, 3), dtype=torch.uint8)
        for place, (row, (top, left)) in enumerate(zip(rows.tolist(), corners, strict=True)):
            picked[place] = pixels[row, top : top + side, left : left + side]
    else:
        picked = pixels[rows]
    if augment in ("flip", "crop-flip"):
        mirrored = torch.rand(len(rows), generator=random) < 0.5
        picked[mirrored] = picked[mirrored].flip(2)
    return picked
