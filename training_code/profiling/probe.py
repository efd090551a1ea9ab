"""Trying out what a finding proposes, for a few batches: a measured gain instead of a computed one."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from training_code.batches import Batches
from training_code.debugging.findings import Findings
from training_code.profiling.data import Profile
from training_code.profiling.rules import shares
from training_code.resnet import ResNet

_BATCHES: Final = 8
_WORKERS: Final = 2

Clock = Callable[[], float]


def measure(findings: Findings, folder: Path, network: ResNet, batches: Batches) -> None:
    """Put measured gains into those findings for which trying out is cheap.

    Args:
        findings: changed in place.
        folder: the profile's.
        network: as it was trained; it is left as it is.
        batches: of the training split.
    """
    dataloader, batch_size = findings.of("dataloader"), findings.of("batch_size")
    if dataloader is not None:
        share = shares(Profile.read(folder).steady)["data"] / 100
        faster = faster_with_workers(lambda number: batches.training(1, number % batches.steps))
        dataloader.gain, dataloader.how = gain_of_workers(share, faster), _measured("batches")
    # Several processes take their steps together, and compiled steps are others than these.
    if batch_size is not None and batches.world.size == 1 and batches.config.compile == "off":
        batch_size.gain = gain_of_twice_the_batch(faster_with_twice_the_batch(network, batches))
        batch_size.how = _measured("steps")


def faster_with_workers(prepare: Callable[[int], object], clock: Clock = time.perf_counter) -> float:
    """How many times as fast two threads prepare batches as one does.

    Args:
        prepare: makes the batch of that number.
        clock: seconds.
    """
    prepare(0)
    begun = clock()
    for number in range(_BATCHES):
        prepare(number)
    alone = clock() - begun
    with ThreadPoolExecutor(_WORKERS) as pool:
        begun = clock()
        list(pool.map(prepare, range(_BATCHES)))
        together = clock() - begun
    return alone / max(1e-9, together)


def gain_of_workers(share: float, faster: float) -> str:
    """What that would bring, in words.

    Args:
        share: of the step that waits for data, 0 to 1.
        faster: what `faster_with_workers` measured.
    """
    if faster < 1.1:
        return f"nothing from a second thread that prepares batches: {faster:.1f}× as fast"
    step = 1 / (1 - share + share / faster)
    return (
        f"steps {step:.2f}× as fast with a second thread that prepares batches ({faster:.1f}×), more when "
        "they are prepared ahead"
    )


def faster_with_twice_the_batch(
    network: ResNet, batches: Batches, clock: Clock = time.perf_counter
) -> float | None:
    """How many times as many pictures a second steps of twice the batch take; None when they do not fit.

    The steps run on a copy of the network, with the recipe's batch and then with that batch twice; waiting
    for data is not in them.
    """
    tried = copy.deepcopy(network).train()
    trained = [each for each in tried.parameters() if each.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.0, momentum=0.9)
    shown, labels = batches.training(1, 0)
    pictures, labels = batches.input(shown), batches.machine.put(labels)

    def steps(pictures: Tensor, labels: Tensor, count: int) -> None:
        for _ in range(count):
            with batches.machine.autocast():
                scores = tried(pictures, from_cut=batches.from_cut)
            cross_entropy(scores.float(), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad()
        if pictures.is_cuda:
            torch.cuda.synchronize()

    seconds = []
    try:
        for times in (1, 2):
            both = torch.cat([pictures] * times), torch.cat([labels] * times)
            steps(*both, 2)  # first allocations
            begun = clock()
            steps(*both, _BATCHES)
            seconds.append(clock() - begun)
    except torch.OutOfMemoryError:
        return None
    return 2 * seconds[0] / max(1e-9, seconds[1])


def gain_of_twice_the_batch(faster: float | None) -> str:
    """What that would bring, in words; `faster` is what `faster_with_twice_the_batch` measured."""
    if faster is None:
        return "nothing: a step of twice the batch does not fit into the memory"
    if faster < 1.05:
        return f"nothing: {faster:.2f}× as many pictures a second"
    return f"{faster:.2f}× as many pictures a second"


def _measured(what: str) -> str:
    return f"measured on a probe of {_BATCHES} {what}"
