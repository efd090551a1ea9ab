"""Which labels look wrong, by what the trained network makes of all pictures: the last training's check.

A network may learn wrong labels by heart, and its own answers then excuse them. So pictures are compared
by what goes into its last stage but one, and each is judged by a classifier fitted to others
(`judging.labels`). Of what that names in CIFAR-10 with flipped labels 0.90 are flipped, of what the pooled
features name 0.53 (docs/insight.md).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from judging.labels import judge
from judging.whitening import whitened
from training_code.data.batches import Batches
from training_code.hardware.machine import at_once
from training_code.network.network import Network
from training_code.seeds import generator
from training_code.stopping import Stopped, StopSignal

MAX_PICTURES: Final = 200_000
"""More are not judged: these are drawn."""

MAX_LISTED: Final = 50
"""Labels that are named; all are counted."""

COSTS, STOPPED = "costs", "stopped"
"""Why a check was left out."""

_MAX_ANSWERS: Final = 20_000_000
"""Pictures times classes: what judging holds in memory, and is slow by."""
_DIRECTIONS: Final = 128
_MAX_SHARE: Final = 0.1
"""Of the training's work, that it may cost to run the network over the pictures once more."""
_BACKWARD: Final = 2
"""Of a forward pass, what a backward pass costs."""
_LARGEST_HALF: Final = 65504.0


@dataclass(frozen=True)
class Suspect:
    """A picture whose label looks wrong; `given` and `proposed` are classes, `picture` its row."""

    split: str
    picture: int
    file: str
    given: int
    proposed: int
    score: float


@dataclass(frozen=True)
class LabelCheck:
    """What the check came to.

    Attributes:
        pictures: how many there are.
        judged: how many of them were judged.
        count: labels that look wrong.
        suspects: the first of them, the surest first.
        left_out: why nothing was judged; empty if it was.
    """

    pictures: int
    judged: int = 0
    count: int = 0
    suspects: tuple[Suspect, ...] = ()
    left_out: str = ""


def check(network: Network, parts: Sequence[Batches], epochs: int, seed: int, stop: StopSignal) -> LabelCheck:
    """Judge the labels of all pictures; print one line.

    Args:
        network: trained; this process runs it alone.
        parts: of train, valid and test.
        epochs: how many the training had.
        seed: draws the pictures, where there are too many, and the folds.
        stop: is heeded.
    """
    start = time.perf_counter()
    pictures = sum(len(part.split) for part in parts)
    chosen = _chosen(pictures, network.classes, seed)
    share = cost(network, parts, len(chosen), epochs)
    if share > _MAX_SHARE:
        print(
            f"labels are not checked: that would add {share:.0%} to a training of {epochs} "
            f"epoch{'s' * (epochs > 1)}, and may add {_MAX_SHARE:.0%}",
            flush=True,
        )
        return LabelCheck(pictures, left_out=COSTS)
    try:
        features = _features(network, parts, chosen, stop)
    except Stopped:
        return LabelCheck(pictures, left_out=STOPPED)
    result = _judged(features, parts, chosen, seed)
    print(
        f"{result.count} label{'s look' if result.count != 1 else ' looks'} wrong, of {result.judged} judged "
        f"in {time.perf_counter() - start:.1f} s" + ("; the report shows them" if result.count else ""),
        flush=True,
    )
    return result


def cost(network: Network, parts: Sequence[Batches], judged: int, epochs: int) -> float:
    """What running the network over so many pictures costs, as a share of the training's work.

    Counted, not measured, so that the same job does the same twice: a network's stages cost about the same
    each, and what the cache of frozen features has costs nothing.
    """
    train, frozen, behind = parts[0], network.freeze_point, len(network.stage_names) - 1
    cached = frozen if train.from_freeze_point else 0
    once = max(behind - 1, frozen) - cached
    step = frozen - cached + (1 + _BACKWARD) * (behind - frozen)
    # Several processes trained, and one looks.
    return once * judged * train.group.size / (step * len(train.split) * epochs) if once else 0.0


def _chosen(pictures: int, classes: int, seed: int) -> Tensor:
    """The rows to judge, of all splits in a row."""
    most = min(MAX_PICTURES, _MAX_ANSWERS // classes)
    if pictures <= most:
        return torch.arange(pictures)
    return torch.randperm(pictures, generator=generator(seed, "labels"))[:most].sort().values


@torch.inference_mode()
def _features(network: Network, parts: Sequence[Batches], chosen: Tensor, stop: StopSignal) -> Tensor:
    """What the chosen pictures are to the network, as they are: (n, channels), float16."""
    network.eval()
    found: list[Tensor] = []
    first = 0
    for part in parts:
        rows = chosen[(chosen >= first) & (chosen < first + len(part.split))] - first
        first += len(part.split)
        cached = part.from_freeze_point
        most = at_once(part.config.image_size, part.machine.device, from_freeze_point=cached)
        for start in range(0, len(rows), most):
            stop.check()
            pictures = part.unvaried(rows[start : start + most])
            with part.machine.autocast():
                pooled = network.pooled(pictures, from_freeze_point=cached)
            found.append(pooled.float().clamp(-_LARGEST_HALF, _LARGEST_HALF).half().cpu())
    return torch.cat(found)


def _judged(features: Tensor, parts: Sequence[Batches], chosen: Tensor, seed: int) -> LabelCheck:
    labels = torch.cat([part.split.labels for part in parts])[chosen].numpy()
    spread = whitened(features.numpy(), _DIRECTIONS, seed)
    judgement = judge(spread, labels, np.arange(len(labels)), seed=seed)
    named = np.flatnonzero(judgement.sure)
    surest = named[np.argsort(-judgement.suspicion[named], kind="stable")][:MAX_LISTED]
    suspects = []
    for row in surest.tolist():
        place, split = int(chosen[row]), 0
        while place >= len(parts[split].split):
            place, split = place - len(parts[split].split), split + 1
        suspects.append(
            Suspect(
                split=parts[split].split.name,
                picture=place,
                file=parts[split].split.files[place],
                given=int(labels[row]),
                proposed=int(judgement.proposed[row]),
                score=round(float(judgement.suspicion[row]), 4),
            )
        )
    pictures = sum(len(part.split) for part in parts)
    return LabelCheck(pictures, len(labels), len(named), tuple(suspects))
