"""Where the network saw what it took test pictures for, of those that the report shows.

It is told of networks whose scores are a linear layer of the mean over places, which the first picture's own
numbers say; `contract.answers.explanation` has the arithmetic.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from contract.answers.explanation import NOT_LINEAR, NOT_POOLED, ONE_PLACE, NotExplained, where
from training_code.data.batches import Batches
from training_code.data.decoded_images import normalised
from training_code.evaluation.scores import Evaluation
from training_code.log import say
from training_code.network.network import Network, WithFeatures
from training_code.stopping import Stopped, StopSignal

PAIRS: Final = 10
PICTURES_OF_A_PAIR: Final = 4
_ALIKE: Final = 1e-3
"""Of the largest feature, what the mean over places may differ from the head's input by."""

Map = NDArray[np.floating[Any]]
"""(height, width), from 0 to 1."""


@dataclass(frozen=True)
class Explained:
    """Of test pictures that were taken for something else.

    Attributes:
        maps: of a picture, by its place in the split, where what it was taken for was seen.
        missing: why there are none, in words; empty if there are.
    """

    maps: Mapping[int, Map] = field(default_factory=lambda: MappingProxyType({}))
    missing: str = ""


def confused(test: Evaluation) -> list[tuple[int, int, int, Tensor]]:
    """The pairs mixed up most often: true class, predicted class, how often, and some of the pictures, as
    places in the split.
    """
    return [
        (truth, answer, count, _taken(test, truth, answer)[:PICTURES_OF_A_PAIR])
        for truth, answer, count in test.confused(PAIRS)
    ]


def _taken(test: Evaluation, truth: int, answer: int) -> Tensor:
    return ((test.labels == truth) & (test.predicted == answer)).nonzero().flatten()


def explain(network: Network, part: Batches, test: Evaluation, stop: StopSignal) -> Explained | None:
    """Maps of the pictures of `confused`.

    None where the job was told to stop, or something failed: a report without them is one, too.
    """
    maps: dict[int, Map] = {}
    try:
        for _, answer, _, places in confused(test):
            for place in places.tolist():
                stop.check()
                squares = part.split.images.pick(torch.tensor([place]))
                maps[place] = where(
                    by_place(network, normalised(squares, part.transform, part.machine)), answer
                )
    except NotExplained as reason:
        return Explained(missing=str(reason))
    except Stopped:
        return None
    except Exception as error:  # of a network that is unlike all others; the model itself is sound
        say(f"the report does not show where classes were seen: {type(error).__name__}: {error}")
        return None
    return Explained(maps)


@torch.inference_mode()
def by_place(network: Network, picture: Tensor) -> NDArray[np.float32]:
    """What each place of the last feature map adds to each score: (height, width, classes).

    Args:
        network: as it answers.
        picture: (1, 3, height, width), normalised.

    Raises:
        NotExplained: its head is not one linear layer upon the mean over places.
    """
    network.eval()
    telling = WithFeatures(network, network.head_names)
    last = network.last_map(picture)
    if last.dim() != 4:
        raise NotExplained(NOT_POOLED)
    _, *features = telling(picture)
    if not features or features[0].shape[1] != last.shape[1]:
        raise NotExplained(NOT_LINEAR)
    if (features[0] - last.mean((2, 3))).abs().max() > _ALIKE * features[0].abs().max():
        raise NotExplained(NOT_LINEAR)
    if last[0, 0].numel() == 1:
        raise NotExplained(ONE_PLACE)
    told: NDArray[np.float32] = (last[0].permute(1, 2, 0) @ telling.weight.T).float().cpu().numpy()
    return told
