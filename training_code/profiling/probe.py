"""Trying out what a finding proposes, for a few batches: a measured gain instead of a computed one.

Both ways are measured in turn, several times: a machine that others use as well is now faster, now slower,
and one measurement would say as much about them.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import torch
from torch.nn.functional import cross_entropy

from training_code.data.batches import Batches
from training_code.findings import Findings
from training_code.network.network import Network
from training_code.profiling.profile import Profile
from training_code.profiling.rules import shares
from training_code.profiling.spread import Spread, of_values
from training_code.training.optimizer import Optimizer

_TRIES: Final = 5
_BATCHES: Final = 2
"""Batches, or steps, of one try."""
_WORKERS: Final = 2

Clock = Callable[[], float]


def measure(findings: Findings, folder: Path, network: Network, batches: Batches) -> None:
    """Put measured gains into those findings for which trying out is cheap; `folder` is the profile's."""
    dataloader, batch_size = findings.of("dataloader"), findings.of("batch_size")
    if dataloader is not None:
        share = shares(Profile.read(folder).steady)["data"] / 100
        faster = faster_with_workers(lambda number: batches.training(1, number % batches.steps))
        dataloader.gain, dataloader.how = gain_of_workers(share, faster), _measured("batches")
    # Several processes take their steps together, and compiled steps are others than these.
    if batch_size is not None and batches.group.size == 1 and batches.config.compile == "off":
        batch_size.gain = gain_of_twice_the_batch(faster_with_twice_the_batch(network, batches))
        batch_size.how = _measured("steps")


def faster_with_workers(prepare: Callable[[int], object], clock: Clock = time.perf_counter) -> Spread:
    """How many times as fast two threads prepare batches as one does; `prepare` makes that of a number."""
    prepare(0)
    ratios = []
    with ThreadPoolExecutor(_WORKERS) as pool:
        for _ in range(_TRIES):
            begun = clock()
            for number in range(_BATCHES):
                prepare(number)
            alone = clock() - begun
            begun = clock()
            list(pool.map(prepare, range(_BATCHES)))
            ratios.append(alone / max(1e-9, clock() - begun))
    return of_values(ratios)


def gain_of_workers(share: float, faster: Spread) -> str:
    """What that would bring, in words, where this share of the step, 0 to 1, waits for data."""
    if faster.low < 1.1:
        return f"nothing sure from a second thread that prepares batches: {faster.text('.1f', '× as fast')}"
    step = faster.map(lambda times: 1 / (1 - share + share / times))
    return f"steps {step.text('.2f', '× as fast')} with a second thread that prepares batches"


def faster_with_twice_the_batch(
    network: Network, batches: Batches, clock: Clock = time.perf_counter
) -> Spread | None:
    """How many times as many pictures a second steps of twice the batch take; None when they do not fit.

    They run on a copy of the network, and waiting for data is not in them.
    """
    tried = copy.deepcopy(network).train()
    optimizer = Optimizer(tried, batches.config)
    examples, labels = batches.training(1, 0)
    pictures, labels = batches.input(examples), batches.machine.put(labels)

    def seconds(times: int) -> float:
        """Of some steps of so many times the batch."""
        pictures, labels = both[times]
        begun = clock()
        for _ in range(_BATCHES):
            for piece in batches.pieces(tried, pictures):
                with batches.machine.autocast():
                    scores = tried(pictures[piece], from_freeze_point=batches.from_freeze_point)
                cross_entropy(scores.float(), labels[piece]).backward()  # type: ignore[no-untyped-call]
            optimizer.step(learning_rate=0.0)
        if pictures.is_cuda:
            torch.cuda.synchronize()
        return clock() - begun

    try:
        both = {times: (torch.cat([pictures] * times), torch.cat([labels] * times)) for times in (1, 2)}
        seconds(1), seconds(2)  # first allocations
        return of_values([2 * seconds(1) / max(1e-9, seconds(2)) for _ in range(_TRIES)])
    except torch.OutOfMemoryError:
        return None


def gain_of_twice_the_batch(faster: Spread | None) -> str:
    """What that would bring, in words; `faster` is what `faster_with_twice_the_batch` measured."""
    if faster is None:
        return "nothing: a step of twice the batch does not fit into the memory"
    gain = faster.text(".2f", "× as many pictures a second")
    return f"nothing sure: {gain}" if faster.low < 1.05 else gain


def _measured(what: str) -> str:
    return f"measured on a probe: the median and the extremes of {_TRIES} tries of {_BATCHES} {what}"
