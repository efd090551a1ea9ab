"""What each split feeds to the network: pixels, or what the frozen part makes of them where that pays."""

from __future__ import annotations

from training_code.config import Config
from training_code.data.augmentation import PLAIN, Views
from training_code.data.batches import Batches, normalised
from training_code.data.dataset import Dataset
from training_code.data.decoding import Known
from training_code.data.feature_cache import MAX_VIEWS, Frozen
from training_code.data.pictures import Transform
from training_code.data.split import Skipped, Split
from training_code.data.stores import Stores
from training_code.distributed.process_group import World
from training_code.hardware.machine import Machine
from training_code.job import Job
from training_code.network.resnet import ResNet
from training_code.stopping import StopSignal


class Feeds:
    """Makes the batches of a job's splits.

    Frozen features are computed ahead when that takes no more passes through the frozen part than training
    would: with as many epochs as views, or when jobs share them. The processes of a machine share the work.
    """

    def __init__(self, network: ResNet, config: Config, machine: Machine, world: World, job: Job) -> None:
        self._config, self._machine, self._world = config, machine, world
        self._transform = Transform.of_size(config.image_size)
        spare = self._transform.roomy_side - self._transform.crop if config.crops else 0
        self._training = Views.of(config, spare)
        self._frozen: Frozen | None = None
        self._shared = False
        if network.cut:
            stores = Stores(job.features, config.feature_cache)
            self._shared = bool(stores)
            self._frozen = Frozen(network, self._transform, machine, stores, world, job.name, normalised)

    @property
    def known(self) -> Known | None:
        """What tells whether a split's pixels are needed; None when they always are."""
        frozen = self._frozen
        if frozen is None or not self._shared:
            return None

        def known(name: str, fingerprint: str) -> tuple[Skipped, ...] | None:
            views = self._training if name == "train" else PLAIN
            return frozen.known(fingerprint, views) if views.count <= MAX_VIEWS else None

        return known

    def of(self, dataset: Dataset, stop: StopSignal) -> tuple[Batches, Batches, Batches]:
        """The batches of train, valid and test.

        Raises:
            Stopped: the job was told to stop.
        """
        train, valid, test = (self._batches(split, stop) for split in dataset.splits)
        return train, valid, test

    def _batches(self, split: Split, stop: StopSignal) -> Batches:
        views = self._training if split.name == "train" else PLAIN
        features = None
        if self._frozen is not None and self._worth(split.name, views):
            features = self._frozen.of(split, views, stop)
        if features is not None:
            split.squares.release()
        return Batches(split, self._transform, self._config, self._machine, views, features, self._world)

    def _worth(self, name: str, views: Views) -> bool:
        if views.count > MAX_VIEWS:
            return False
        passes = {"train": self._config.epochs, "valid": self._config.epochs, "test": 1}[name]
        return self._shared or views.count <= passes
