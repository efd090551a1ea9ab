"""What a frozen network makes of each picture, computed once: per job, and across jobs that share a store.

The activation at the freeze point depends on the picture, its variant (`augmentation`) and frozen weights
alone. It is computed for shards of pictures, kept in a table, and stored under a key that names everything it
depends on. Jobs that run at once, and the machines of one, take shards in orders of their own and look before
they compute, so they share the work without knowing of each other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from itertools import chain
from typing import Final

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from contract.pictures.transform import Transform
from training_code.config import Config
from training_code.data.augmentation import Augmentation
from training_code.data.dataset import Found
from training_code.data.decoded_images import normalised
from training_code.data.decoding import Content
from training_code.data.split import Split
from training_code.data.stores import Stores
from training_code.data.table import Table
from training_code.distributed.process_group import ProcessGroup
from training_code.errors import OutOfMemory
from training_code.hardware.machine import Machine, at_once
from training_code.job import Job
from training_code.network.network import Network
from training_code.seeds import generator
from training_code.stopping import StopSignal

_FORMAT: Final = 1
_SHARD: Final = 128
"""Pictures stored, and taken by one worker, together."""

_PARALLEL: Final = 8
"""Shards fetched at once."""

_Shard = tuple[int, int]
"""A variant, and the first of the pictures in a row."""

_COMPLETE: Final = "complete.json"

MAX_VARIANTS: Final = 16
"""Of more variants of a picture it is not worth computing all."""


@dataclass(frozen=True)
class Features:
    """The activations at the freeze point of every picture of a split in every variant, in a table."""

    table: Table
    pictures: int

    def pick(self, rows: Tensor, variants: Tensor) -> Tensor:
        """Of these pictures (n,) in these variants (n,): (n, height, width, channels), or (n, channels), or
        what else the network has at its freeze point.
        """
        return self.table.read(variants * self.pictures + rows)

    @staticmethod
    def ready(picked: Tensor, machine: Machine) -> Tensor:
        """As the trained part takes them: (n, channels, height, width) on the device."""
        on_device = machine.put(picked)
        if on_device.dim() != 4:
            return on_device
        return on_device.permute(0, 3, 1, 2).contiguous(memory_format=machine.memory_format)


class FeatureCache:
    """The frozen part of a network on a machine, and where its answers are kept."""

    def __init__(
        self,
        network: Network,
        config: Config,
        machine: Machine,
        stores: Stores,
        group: ProcessGroup,
        job: str,
    ) -> None:
        self._network, self._config, self._machine = network, config, machine
        self._transform = transform = Transform.of(config.arch, config.image_size)
        self._stores, self._group = stores, group
        self._shared = bool(stores)
        self._worker, self._at_once = f"{job}-{group.rank}", at_once(transform.crop, machine.device)
        self._weights = _digest(network.frozen_state())
        network.eval()  # a fresh network is in training mode, frozen stages too
        with torch.no_grad():
            one = torch.zeros((1, transform.crop, transform.crop, 3), dtype=torch.uint8)
            like = self._computed(one, Augmentation(), torch.zeros(1, dtype=torch.int64))
        self._shape, self._dtype = tuple(like.shape[1:]), like.dtype

    @staticmethod
    def of(
        network: Network, config: Config, machine: Machine, group: ProcessGroup, job: Job
    ) -> FeatureCache | None:
        """The cache of a job; None when nothing is frozen, or the frozen part cannot run on its own."""
        if not network.is_cut:
            return None
        stores = Stores(job.features, config.feature_cache)
        return FeatureCache(network, config, machine, stores, group, job.name)

    def complete(self, found: Found, stop: StopSignal) -> dict[str, tuple[Content, ...]]:
        """The contents of those splits whose features are all in a store: nobody needs their pixels.

        Every file is read for that, so nothing is looked for where jobs share nothing.

        Raises:
            Stopped: the job was told to stop.
        """
        complete: dict[str, tuple[Content, ...]] = {}
        if not self._shared:
            return complete
        for split in found.files:
            augmentation = Augmentation.of(self._config, split)
            if augmentation.count > MAX_VARIANTS:
                continue
            contents = found.reader(split, stop, self._group).hash()
            key = self.key(found.fingerprint(split, contents), augmentation)
            problems = self._group.broadcast(partial(self._skipped, key))
            if problems is not None:
                complete[split] = tuple(
                    each._replace(problem=problems.get(f"{split}/{each.name}", "")) for each in contents
                )
        return complete

    def features(self, split: Split, stop: StopSignal) -> Features | None:
        """Every picture's features in every variant; None when that does not pay, or there is no room.

        It pays when it takes no more passes through the frozen part than training would: with as many epochs
        as variants, or when jobs share them.

        Raises:
            Stopped: the job was told to stop.
        """
        augmentation = Augmentation.of(self._config, split.name)
        passes = 1 if split.name == "test" else self._config.epochs
        if augmentation.count > MAX_VARIANTS or not (self._shared or augmentation.count <= passes):
            most = MAX_VARIANTS if self._shared else min(MAX_VARIANTS, passes)
            print(
                f"frozen stages are computed anew in every epoch: {split.name} pictures come in "
                f"{augmentation.count} views, and of more than {most} it does not pay to keep them "
                f"(augment, random_erasing; crop_places makes them few)",
                flush=True,
            )
            return None
        try:
            count = len(split) * augmentation.count
            table = Table(count, self._shape, self._dtype, "frozen features", self._group)
        except OutOfMemory as error:
            print(f"warning: frozen stages are computed anew in every epoch: {error}", flush=True)
            return None
        self._fill(table, split, augmentation, stop)
        return Features(table, len(split))

    def _fill(self, table: Table, split: Split, augmentation: Augmentation, stop: StopSignal) -> None:
        key = self.key(split.fingerprint, augmentation)
        variants = range(augmentation.count)
        shards = [(variant, start) for variant in variants for start in range(0, len(split), _SHARD)]
        missing = self._divided(shards, lambda mine: self._fetch(key, mine, table, split, stop))
        self._divided(missing, lambda mine: self._compute(key, mine, table, split, augmentation, stop))
        all_put = all(self._group.all_gather(self._stores.writable))
        if missing and all_put and self._group.is_main:
            skipped = json.dumps([asdict(each) for each in split.skipped])
            self._stores.put(f"{key}/{_COMPLETE}", skipped.encode())
        found = len(shards) - len(missing)
        print(
            f"frozen features of {len(split)} {split.name} pictures in {augmentation.count} "
            f"view{'s' * (augmentation.count > 1)}: {found} of {len(shards)} shards found, "
            f"{len(missing)} to compute",
            flush=True,
        )

    def _skipped(self, key: str) -> dict[str, str] | None:
        """The reason of each file that is skipped in the split of this key, when a store has all of it."""
        content = self._stores.get(f"{key}/{_COMPLETE}")
        try:
            return None if content is None else {each["file"]: each["reason"] for each in json.loads(content)}
        except (ValueError, TypeError, KeyError):
            return None

    def key(self, pictures: str, augmentation: Augmentation) -> str:
        """SHA-256 over everything the numbers depend on; `pictures` is the fingerprint of a split."""
        parts = {
            "format": _FORMAT,
            "pictures": pictures,
            "transform": self._transform.describe(),
            "views": asdict(augmentation),
            "weights": self._weights,
            "cut": self._network.stage_names[self._network.freeze_point],
            "shape": self._shape,
            "type": str(self._dtype),
            "device": self._machine.device.type,
            "torch": torch.__version__.split("+")[0],
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _divided(
        self, shards: Sequence[_Shard], work: Callable[[Sequence[_Shard]], Sequence[_Shard]]
    ) -> list[_Shard]:
        """`work` of all shards, each process of this machine doing its part; what it answers, of all."""
        mine = self._group.share(shards)
        return list(chain.from_iterable(self._group.all_gather_local(self._group.agreed(lambda: work(mine)))))

    def _fetch(
        self, key: str, shards: Sequence[_Shard], table: Table, split: Split, stop: StopSignal
    ) -> list[_Shard]:
        """Take over what the stores have; the shards they lack."""

        def fetch(shard: _Shard) -> bool:
            return stop.came or self._take(key, shard, table, split)

        if not self._stores:
            return list(shards)
        with ThreadPoolExecutor(_PARALLEL) as pool:
            found = list(pool.map(fetch, shards))
        stop.check()
        return [shard for shard, hit in zip(shards, found, strict=True) if not hit]

    def _take(self, key: str, shard: _Shard, table: Table, split: Split) -> bool:
        content = self._stores.get(_name(key, shard))
        if content is None:
            return False
        variant, start = shard
        try:
            rows = safetensors.torch.load(content)["features"]
        except (SafetensorError, KeyError):
            return False
        expected = (min(_SHARD, len(split) - start), *self._shape)
        if tuple(rows.shape) != expected or rows.dtype != self._dtype:
            return False
        table.write(variant * len(split) + start, rows)
        return True

    def _compute(
        self,
        key: str,
        shards: Sequence[_Shard],
        table: Table,
        split: Split,
        augmentation: Augmentation,
        stop: StopSignal,
    ) -> Sequence[_Shard]:
        """Fill in the shards, and keep them for other jobs where there is a place."""
        own_order = torch.randperm(len(shards), generator=generator(0, "shards", self._worker))
        with ThreadPoolExecutor(1) as uploads:
            for shard in (shards[place] for place in own_order.tolist()):
                stop.check()
                if self._stores and self._take(key, shard, table, split):
                    continue  # another job was first
                variant, start = shard
                pictures = torch.arange(start, min(start + _SHARD, len(split)))
                variants = torch.full_like(pictures, variant)
                rows = self._computed(split.images.pick(pictures), augmentation, variants)
                table.write(variant * len(split) + start, rows)
                if self._stores.writable:
                    content = safetensors.torch.save({"features": rows})
                    uploads.submit(self._stores.put, _name(key, shard), content)
        return shards

    @torch.inference_mode()
    def _computed(self, squares: Tensor, augmentation: Augmentation, variants: Tensor) -> Tensor:
        parts = []
        for start in range(0, len(squares), self._at_once):
            some = slice(start, start + self._at_once)
            parts.append(self._activations(augmentation.apply(squares[some], variants[some])))
        return torch.cat(parts)

    def _activations(self, squares: Tensor) -> Tensor:
        pictures = normalised(squares, self._transform, self._machine)
        with self._machine.autocast():
            activations = self._network.frozen_part(pictures)
        return (activations.permute(0, 2, 3, 1) if activations.dim() == 4 else activations).contiguous().cpu()


def _name(key: str, shard: _Shard) -> str:
    variant, start = shard
    return f"{key}/{variant:02d}-{start:07d}.safetensors"


def _digest(state: dict[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(state.items()):
        digest.update(name.encode() + value.cpu().contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
