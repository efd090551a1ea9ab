"""The processes of one machine share its work: pictures are decoded, and frozen features computed, once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.unit.training_code.samples import COUNTS, TINY, load, numbers, train
from tests.unit.training_code.together import in_two
from training_code.config import parse
from training_code.data import decoded_images
from training_code.data.dataset import find
from training_code.data.dataset import load as load_dataset
from training_code.data.feature_cache import FeatureCache
from training_code.distributed.process_group import ProcessGroup
from training_code.errors import TrainingError, UnusableDataset
from training_code.stopping import Stopped, StopSignal
from training_code.training.callback import Callback

FLIPS = {"trainable_from": "layer4", "augment": "flip", "image_size": "32"}
ONCE = FLIPS | {"epochs": "1", "learning_rate": "0.001"}

Claim = Callable[[ProcessGroup, Path, Path], Any]


class Counted:
    """Stands in for a function and counts its calls."""

    def __init__(self, of: Any, name: str) -> None:
        self.calls, real = 0, getattr(of, name)

        def counted(*arguments: Any) -> Any:
            self.calls += 1
            return real(*arguments)

        setattr(of, name, counted)


def _decode(group: ProcessGroup, pictures: Path, folder: Path) -> Any:
    """What one process sees of a split that both decode."""
    decoded = Counted(decoded_images, "decode")
    config = parse(TINY)
    found = find({split: pictures / split for split in COUNTS}, config)
    train_split = load_dataset(found, config, StopSignal(), group).train
    file = os.fstat(train_split.images._table._file)  # type: ignore[union-attr]
    return {
        "decoded": decoded.calls,
        "file": (file.st_dev, file.st_ino),
        "fingerprint": train_split.fingerprint,
        "skipped": [each.file for each in train_split.skipped],
        "squares": train_split.images.pick(torch.arange(len(train_split))),
    }


def _features(group: ProcessGroup, pictures: Path, folder: Path) -> Any:
    """Two trainings on frozen features that are kept: shards computed in each, and the losses."""
    shared = ONCE | {"feature_cache": str(folder / "features")}
    computed = Counted(FeatureCache, "_computed")
    first = numbers(train(pictures, None, group=group, **shared))
    before = computed.calls
    second = numbers(train(pictures, None, group=group, **shared))
    return {"computed": (before, computed.calls - before), "first": first, "second": second}


class _StopsOne(Callback):
    """Tells one process to stop, in the middle of its second epoch."""

    def __init__(self, stop: StopSignal) -> None:
        self._stop = stop

    def step_begins(self, epoch: int, step: int) -> None:
        self._stop.came = self._stop.came or (epoch, step) == (2, 0)


def _interrupted(group: ProcessGroup, pictures: Path, folder: Path) -> Any:
    """The same training uninterrupted, and interrupted by a signal that only one process got."""
    place, stop = folder / "checkpoints", StopSignal()
    place.mkdir(exist_ok=True)
    whole = train(pictures, None, group=group, **FLIPS)
    half = train(pictures, place, stop, _StopsOne(stop) if group.rank else None, group=group, **FLIPS)
    group.all_gather(None)  # the checkpoint is written
    resumed = train(pictures, place, group=group, **FLIPS)
    return {
        "stopped": (half.stopped, len(half.history)),
        "whole": numbers(whole),
        "resumed": numbers(resumed),
    }


def _errors(group: ProcessGroup, pictures: Path, folder: Path) -> Any:
    """What each process raises when only one has a problem."""

    def problem(raised: Exception) -> Callable[[], None]:
        def work() -> None:
            if group.rank == 1:
                raise raised

        return work

    told: list[str] = []
    for raised in (UnusableDataset("no room"), Stopped()):
        try:
            group.agreed(problem(raised))
        except (TrainingError, Stopped) as error:
            told.append(f"{type(error).__name__}: {error}")
    return told


CLAIMS: dict[str, Claim] = {
    "decode": _decode,
    "features": _features,
    "interrupted": _interrupted,
    "errors": _errors,
}


def _claims(group: ProcessGroup, pictures: Path, folder: Path) -> None:
    for name, claim in CLAIMS.items():
        torch.save(claim(group, pictures, folder), folder / f"{name}-{group.rank}.pt")


@pytest.fixture(scope="module")
def spoiled(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of which one cannot be decoded."""
    folder = tmp_path_factory.mktemp("spoiled") / "pictures"
    shutil.copytree(pictures, folder)
    (folder / "train" / "light" / "5.png").write_bytes(b"no picture")
    (folder / "train" / "light" / "6.png").write_bytes((folder / "train" / "light" / "0.png").read_bytes())
    return folder


@pytest.fixture(scope="module")
def found(spoiled: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], list[Any]]:
    """What two processes found, by claim: a value from each."""
    folder = tmp_path_factory.mktemp("found")
    in_two(_claims, spoiled, folder)
    return lambda claim: [torch.load(folder / f"{claim}-{rank}.pt") for rank in (0, 1)]


def test_each_picture_is_decoded_once_into_one_file_that_both_read(
    found: Callable[[str], list[Any]], spoiled: Path
) -> None:
    alone = load(spoiled, parse(TINY)).train
    first, second = found("decode")
    assert first["decoded"] + second["decoded"] == sum(2 * count for count in COUNTS.values()) + 1
    assert min(first["decoded"], second["decoded"]) >= 10
    assert first["file"] == second["file"]
    for one in (first, second):
        assert one["fingerprint"] == alone.fingerprint
        assert one["skipped"] == ["train/light/5.png"]
        assert torch.equal(one["squares"], alone.images.pick(torch.arange(len(alone))))


def test_frozen_features_are_computed_once_and_found_by_the_next_job(
    found: Callable[[str], list[Any]], spoiled: Path
) -> None:
    first, second = found("features")
    probes = 1  # each network is asked once for the shape of its features
    shards = 2 + 1 + 1  # train in two views, valid, test
    assert first["computed"][0] + second["computed"][0] == shards + 2 * probes
    assert first["computed"][1] == second["computed"][1] == probes
    assert first["first"] == second["first"] == first["second"]
    (alone,) = numbers(train(spoiled, None, **ONCE))
    assert first["first"][0] == pytest.approx(alone, rel=1e-3)


def test_a_signal_that_reaches_one_process_stops_both_and_the_numbers_stay_the_same(
    found: Callable[[str], list[Any]],
) -> None:
    for one in found("interrupted"):
        assert one["stopped"] == (True, 1)
        assert one["resumed"] == one["whole"]


def test_a_problem_of_one_process_is_raised_in_both(found: Callable[[str], list[Any]]) -> None:
    for told in found("errors"):
        assert told == ["UnusableDataset: no room", "Stopped: "]
