"""A linear probe: what a network's head is fed of pictures, computed once where the head alone is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import torch
from torch import Tensor

from training_code.data.batches import Batches
from training_code.data.feature_cache import MAX_VARIANTS, Features
from training_code.data.table import Table
from training_code.errors import OutOfMemory
from training_code.hardware.machine import at_once
from training_code.network.network import Network, WithFeatures
from training_code.stopping import StopSignal

_SHARD: Final = 128
"""Pictures that one process takes at a time."""


def at_head(network: Network, batches: Batches, epochs: int, stop: StopSignal) -> Batches:
    """The same batches for the network frozen before its head: of what its head is fed where that pays, else
    of pixels.

    It pays where more is trained from kept features too, or where there are as many epochs as views.

    Args:
        network: frozen where `batches` are kept, not yet before its head.
        batches: of one split.
        epochs: how often the probe goes through them.
        stop: looked at while computing.

    Raises:
        Stopped: the job was told to stop.
    """
    pixels, views = replace(batches, features=None), batches.augmentation.count
    pays = batches.from_freeze_point or views <= epochs
    telling = WithFeatures(network, network.head_names)
    if not telling.width or views > MAX_VARIANTS or not pays:
        print(
            f"the probe computes what the head is fed of {batches.split.name} pictures anew in every epoch: "
            f"they come in {views} view{'s' * (views > 1)}",
            flush=True,
        )
        return pixels
    network.eval()
    first = _computed(telling, batches, torch.zeros(1, dtype=torch.int64), 0)
    if first is None:
        return pixels
    count = len(batches.split)
    try:
        table = Table(count * views, first.shape[1:], first.dtype, "features for the head", batches.group)
    except OutOfMemory as error:
        print(f"warning: the probe computes pictures anew in every epoch: {error}", flush=True)
        return pixels
    shards = [(view, start) for view in range(views) for start in range(0, count, _SHARD)]
    batches.group.agreed(lambda: _fill(table, telling, batches, batches.group.share(shards), stop))
    return replace(batches, features=Features(table, count))


def _fill(
    table: Table,
    telling: WithFeatures,
    batches: Batches,
    shards: Sequence[tuple[int, int]],
    stop: StopSignal,
) -> None:
    count, device = len(batches.split), batches.machine.device
    most = at_once(batches.config.image_size, device, from_freeze_point=batches.from_freeze_point)
    for view, first in shards:
        for start in range(first, min(first + _SHARD, count), most):
            stop.check()
            rows = torch.arange(start, min(start + most, first + _SHARD, count))
            features = _computed(telling, batches, rows, view)
            assert features is not None  # noqa: S101 (for mypy: the first one was there)
            table.write(view * count + start, features)


@torch.inference_mode()
def _computed(telling: WithFeatures, batches: Batches, rows: Tensor, view: int) -> Tensor | None:
    """What the head is fed of these pictures (n,) in this view: (n, features)."""
    pictures = batches.input(batches.pick(rows, torch.full_like(rows, view)))
    with batches.machine.autocast():
        _, *features = telling(pictures, from_freeze_point=batches.from_freeze_point)
    return features[0].cpu() if features else None
