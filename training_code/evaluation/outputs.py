"""What a form of the network says of a split's pictures: class scores, and what goes into its head; and what
they look like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from contract.answers import appearance
from training_code.data.batches import Batches
from training_code.hardware.machine import at_once
from training_code.network.network import Network, WithFeatures
from training_code.stopping import StopSignal

Floats = NDArray[np.floating[Any]]

MAX_NUMBERS: Final = 40_000_000
"""Scores and features that are held of a split; of more pictures some are taken, evenly over the classes."""


@dataclass
class Outputs:
    """Kept picture by picture, for the `rows` of a split that fit in memory.

    Attributes:
        precision: of the form, in words.
        rows: places in the split, ascending.
        scores: (rows, classes).
        features: (rows, features); no columns where the form does not tell them.
        looks: (rows, appearance.NUMBERS); no rows where nobody looked.
    """

    precision: str = ""
    rows: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    scores: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    features: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    looks: Floats = field(default_factory=lambda: np.empty((0, appearance.NUMBERS), np.float32))
    _place_of: dict[int, int] = field(default_factory=dict)
    _count: int = 0

    def begin(self, count: int, precision: str | None = None) -> None:
        """Forget what was kept, for the `count` pictures of a split; sizes are known at the first of them."""
        self.precision = self.precision if precision is None else precision
        self._count = count
        self.forget()

    def forget(self) -> None:
        """Keep nothing."""
        self.rows = np.arange(self._count)
        self.scores = self.features = np.empty((0, 0), np.float32)
        self.looks = np.empty((0, appearance.NUMBERS), np.float32)
        self._place_of = {}

    def add(self, picture: int, said: Sequence[Floats], square: NDArray[np.uint8]) -> None:
        """Keep what was said of one picture: scores (1, classes), and features (1, features) if there are.

        `square` is the picture, (side, side, 3 or 4).
        """
        if not len(self.scores):
            widths = [said[0].shape[1], said[1].shape[1] if len(said) > 1 else 0]
            self.rows = chosen(self._count, sum(widths))
            self.scores, self.features, self.looks = (
                np.zeros((len(self.rows), width), np.float32) for width in (*widths, appearance.NUMBERS)
            )
            self._place_of = {row: place for place, row in enumerate(self.rows.tolist())}
        place = self._place_of.get(picture)
        if place is not None:
            self.scores[place] = said[0][0]
            self.looks[place] = appearance.described(square)
            if len(said) > 1:
                self.features[place] = said[1][0]


def chosen(count: int, width: int, most: int = MAX_NUMBERS) -> NDArray[np.int64]:
    """Rows of `count` whose outputs, `width` numbers each, fit: all, or evenly through them."""
    fit = max(1, most // max(1, width))
    if count <= fit:
        return np.arange(count)
    return np.linspace(0, count - 1, fit).round().astype(np.int64)


@torch.inference_mode()
def of_network(network: Network, part: Batches, rows: NDArray[np.int64], stop: StopSignal) -> Outputs:
    """What PyTorch says of these rows of a split, as evaluation sees them; this process runs it alone.

    Raises:
        Stopped: the job was told to stop.
    """
    network.eval()
    telling = WithFeatures(network, network.head_names)
    cached = part.from_freeze_point
    most = at_once(part.config.image_size, part.machine.device, from_freeze_point=cached)
    scores, features = [], []
    for start in range(0, len(rows), most):
        stop.check()
        pictures = part.unvaried(torch.from_numpy(rows[start : start + most]))
        with part.machine.autocast():
            said, *told = telling(pictures, from_freeze_point=cached)
        scores.append(said.float().cpu().numpy())
        features.append(told[0].float().cpu().numpy() if told else np.empty((len(said), 0), np.float32))
    return Outputs(rows=rows, scores=np.concatenate(scores), features=np.concatenate(features))


def looks_of(
    part: Batches, rows: NDArray[np.int64], stop: StopSignal, known: Outputs | None = None
) -> Floats:
    """What these rows of a split look like, (n, appearance.NUMBERS); `known` has been looked at already.

    Raises:
        Stopped: the job was told to stop.
    """
    found = np.empty((len(rows), appearance.NUMBERS), np.float32)
    seen = dict(zip(known.rows.tolist(), known.looks, strict=False)) if known else {}
    for place, row in enumerate(rows.tolist()):
        if row in seen:
            found[place] = seen[row]
            continue
        stop.check()
        found[place] = appearance.described(part.squares(torch.tensor([row]))[0].numpy())
    return found
