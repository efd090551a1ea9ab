"""What a frozen network makes of each picture, computed once: per job, and across jobs that share a store.

The activation at the cut depends on the picture, how it is shown (`views`) and frozen weights alone. It is
computed for shards of pictures, in a fixed order within each, and kept in a table; training then starts at
the cut. A shard is stored under a key that names everything it depends on. Jobs that run at once, and the
machines of one, take shards in orders of their own and look before they compute, so they share the work
without knowing of each other; the processes of one machine divide the shards among them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Any, Final

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from training_code.data.augmentation import Views
from training_code.data.pictures import Transform
from training_code.data.split import Skipped, Split
from training_code.data.stores import Stores
from training_code.data.table import Table
from training_code.distributed.process_group import World
from training_code.errors import OutOfMemory
from training_code.hardware.machine import Machine, at_once
from training_code.network.resnet import STAGES, ResNet
from training_code.seeds import generator
from training_code.stopping import StopSignal

_FORMAT: Final = 1
_SHARD: Final = 128
"""Pictures stored, and taken by one worker, together."""

_PARALLEL: Final = 8
"""Shards fetched at once."""

_Shard = tuple[int, int]
"""A view, and the first of the pictures in a row."""

_COMPLETE: Final = "complete.json"

MAX_VIEWS: Final = 16
"""More ways to show a picture are not worth computing all of them."""


@dataclass(frozen=True)
class Features:
    """The activations at the cut of every picture of a split in every view, in a table."""

    table: Table
    pictures: int

    def picked(self, rows: Tensor, views: Tensor) -> Tensor:
        """Of these pictures (n,) in these views (n,): (n, height, width, channels), or (n, channels)."""
        return self.table.read(views * self.pictures + rows)

    @staticmethod
    def ready(picked: Tensor, machine: Machine) -> Tensor:
        """As the trained part takes them: (n, channels, height, width) on the device."""
        on_device = machine.put(picked)
        if on_device.dim() == 2:
            return on_device
        return on_device.permute(0, 3, 1, 2).contiguous(memory_format=machine.memory_format)


class Frozen:
    """The frozen part of a network on a machine, and where its answers are kept.

    `normalised` makes the network's input of squares (see `batches`).
    """

    def __init__(
        self,
        network: ResNet,
        transform: Transform,
        machine: Machine,
        stores: Stores,
        world: World,
        job: str,
        normalised: Callable[[Tensor, Transform, Machine], Tensor],
    ) -> None:
        self._network, self._transform, self._machine = network, transform, machine
        self._stores, self._world, self._normalised = stores, world, normalised
        self._worker, self._at_once = f"{job}-{world.rank}", at_once(transform.crop, machine.device)
        self._weights = _digest(network.frozen_state())
        network.eval()  # a fresh network is in training mode, frozen stages too
        with torch.no_grad():
            one = torch.zeros((1, transform.crop, transform.crop, 3), dtype=torch.uint8)
            like = self._computed(one, Views(0, 1, False), torch.zeros(1, dtype=torch.int64))
        self._shape, self._dtype = tuple(like.shape[1:]), like.dtype

    def known(self, fingerprint: str, views: Views) -> tuple[Skipped, ...] | None:
        """What is skipped in the split of this fingerprint, when all its features are in a store."""
        content = self._stores.get(f"{self.key(fingerprint, views)}/{_COMPLETE}")
        try:
            return None if content is None else tuple(Skipped(**each) for each in json.loads(content))
        except (ValueError, TypeError):
            return None

    def of(self, split: Split, views: Views, stop: StopSignal) -> Features | None:
        """Every picture's features in every view; None when there is no room for them.

        Raises:
            Stopped: the job was told to stop.
        """
        try:
            count = len(split) * views.count
            table = Table(count, self._shape, self._dtype, "frozen features", self._world)
        except OutOfMemory as error:
            print(f"warning: frozen stages are computed anew in every epoch: {error}", flush=True)
            return None
        key = self.key(split.fingerprint, views)
        shards = [(view, start) for view in range(views.count) for start in range(0, len(split), _SHARD)]
        missing = self._together(shards, lambda mine: self._fetch(key, mine, table, split, stop))
        self._together(missing, lambda mine: self._compute(key, mine, table, split, views, stop))
        all_put = all(self._world.gathered(self._stores.writable))
        if missing and all_put and self._world.first:
            skipped = json.dumps([asdict(each) for each in split.skipped])
            self._stores.put(f"{key}/{_COMPLETE}", skipped.encode())
        found = len(shards) - len(missing)
        print(
            f"frozen features of {len(split)} {split.name} pictures in {views.count} "
            f"view{'s' * (views.count > 1)}: {found} of {len(shards)} shards found, "
            f"{len(missing)} to compute",
            flush=True,
        )
        return Features(table, len(split))

    def key(self, fingerprint: str, views: Views) -> str:
        """SHA-256 over everything the numbers depend on."""
        parts: dict[str, Any] = {
            "format": _FORMAT,
            "pictures": fingerprint,
            "transform": self._transform.describe(),
            "views": asdict(views),
            "weights": self._weights,
            "cut": STAGES[self._network.cut],
            "shape": self._shape,
            "type": str(self._dtype),
            "device": self._machine.device.type,
            "torch": torch.__version__.split("+")[0],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _together(
        self, shards: Sequence[_Shard], work: Callable[[Sequence[_Shard]], Sequence[_Shard]]
    ) -> list[_Shard]:
        """`work` of all shards, each process of this machine doing its part; what it answers, of all."""
        mine = self._world.share(shards)
        return list(chain.from_iterable(self._world.gathered_here(self._world.agreed(lambda: work(mine)))))

    def _in_own_order(self, shards: Sequence[_Shard]) -> list[_Shard]:
        order = torch.randperm(len(shards), generator=generator(0, "shards", self._worker))
        return [shards[index] for index in order.tolist()]

    def _fetch(
        self, key: str, shards: Sequence[_Shard], table: Table, split: Split, stop: StopSignal
    ) -> list[_Shard]:
        """Take over what the stores have; the shards they lack."""

        def fetch(shard: _Shard) -> bool:
            return stop.came or self._take(key, shard, table, split)

        if not self._stores:
            return list(shards)
        with ThreadPoolExecutor(_PARALLEL) as pool:
            taken = list(pool.map(fetch, shards))
        stop.check()
        return [shard for shard, there in zip(shards, taken, strict=True) if not there]

    def _take(self, key: str, shard: _Shard, table: Table, split: Split) -> bool:
        content = self._stores.get(_name(key, shard))
        if content is None:
            return False
        view, start = shard
        try:
            rows = safetensors.torch.load(content)["features"]
        except (SafetensorError, KeyError):
            return False
        expected = (min(_SHARD, len(split) - start), *self._shape)
        if tuple(rows.shape) != expected or rows.dtype != self._dtype:
            return False
        table.write(view * len(split) + start, rows)
        return True

    def _compute(
        self,
        key: str,
        shards: Sequence[_Shard],
        table: Table,
        split: Split,
        views: Views,
        stop: StopSignal,
    ) -> Sequence[_Shard]:
        """Fill in the shards, and keep them for other jobs where there is a place."""
        with ThreadPoolExecutor(1) as uploads:
            for shard in self._in_own_order(shards):
                stop.check()
                if self._stores and self._take(key, shard, table, split):
                    continue  # another job was first
                view, start = shard
                pictures = torch.arange(start, min(start + _SHARD, len(split)))
                shown = torch.full_like(pictures, view)
                rows = self._computed(split.squares.picked(pictures), views, shown)
                table.write(view * len(split) + start, rows)
                if self._stores.writable:
                    content = safetensors.torch.save({"features": rows})
                    uploads.submit(self._stores.put, _name(key, shard), content)
        return shards

    @torch.inference_mode()
    def _computed(self, squares: Tensor, views: Views, shown: Tensor) -> Tensor:
        parts = []
        for start in range(0, len(squares), self._at_once):
            some = slice(start, start + self._at_once)
            parts.append(self._at_cut(views.shown(squares[some], shown[some])))
        return torch.cat(parts)

    def _at_cut(self, squares: Tensor) -> Tensor:
        pictures = self._normalised(squares, self._transform, self._machine)
        with self._machine.autocast():
            at_cut = self._network.frozen_part(pictures)
        return (at_cut if at_cut.dim() == 2 else at_cut.permute(0, 2, 3, 1)).contiguous().cpu()


def _name(key: str, shard: _Shard) -> str:
    view, start = shard
    return f"{key}/{view:02d}-{start:07d}.safetensors"


def _digest(state: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(name.encode() + value.cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
