"""The race: one network after the other, and what came of each.

A network is judged by a linear head on its features: five heads, each asked about the pictures that it was
not fitted to. The pictures are those of train and valid; the test split's are never looked at.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from contract import networks
from contract.race import Entrant, Race, missed
from judging.out_of_fold import folds, probabilities
from judging.whitening import whitened
from training_code import config as hyperparameters
from training_code.config import Config
from training_code.data.batches import Batches
from training_code.data.dataset import Dataset, Found, load
from training_code.data.split import DIGEST_BYTES
from training_code.errors import InvalidHyperparameter, OutOfMemory, TrainingError, UnusableWeights
from training_code.hardware.cores import cores
from training_code.hardware.machine import Machine
from training_code.log import say
from training_code.network import model
from training_code.race.features import NoFeatures, told
from training_code.race.settings import RaceSettings, Runner
from training_code.seeds import generator
from training_code.stopping import Stopped, StopSignal

MAX_PICTURES: Final = 10_000
"""More are not looked at: so many tell accuracies apart that differ by a point."""
_DIRECTIONS: Final = 256
"""Of the features, kept for the heads: more told dogs apart no better (0.745; all 1,280 of Lite0: 0.742)."""
_HOUR: Final = 3600
_MILLION: Final = 1_000_000

_OF_ONE: Final = (UnusableWeights, InvalidHyperparameter, OutOfMemory, NoFeatures, Stopped, RuntimeError)
"""What keeps one network out of the race. Which of timm's can do what is asked, only trying tells, and then
torch raises RuntimeError; the figures of the others are not lost for it.
"""

Numbers = NDArray[np.int64]


class NoWinner(TrainingError):
    """Not one network could be judged, or none is within the bounds."""


class Deadline(StopSignal):
    """Comes with the job's own signal, or when the race's time is over."""

    def __init__(self, job: StopSignal, start: float, minutes: float | None) -> None:
        self._job = job
        self._end = math.inf if minutes is None else start + minutes * 60

    @property
    def came(self) -> bool:
        """Whether it is time to stop."""
        return self._job.came or time.perf_counter() >= self._end

    @came.setter
    def came(self, value: bool) -> None:
        self._job.came = value


@dataclass(frozen=True)
class _Judged:
    entrant: Entrant
    pictures: int
    machine: str


def race(settings: RaceSettings, found: Found, channels: Path, stop: StopSignal) -> Race:
    """Judge each network; print a line for each.

    Args:
        found: the splits' files.
        channels: the folder with the job's channels, some of which hold weights.

    Raises:
        NoWinner: see there; the race tells what came of each network all the same.
        Stopped: the job was told to stop.
    """
    start, drawn = time.perf_counter(), _drawn(found, settings.seed)
    entrants: list[Entrant] = []
    pictures, machine = 0, ""
    for place, runner in enumerate(settings.runners, 1):
        minutes = (time.perf_counter() - start) / 60
        say(f"network {place} of {len(settings.runners)}: {runner.network}, {minutes:.1f} minutes so far")
        deadline = Deadline(stop, start, settings.max_minutes)
        try:
            if entrants:  # the first is tried, however short the time
                deadline.check()
            judged = _judge(runner, settings, drawn, channels, deadline)
        except _OF_ONE as error:
            stop.check()
            why = (
                next(iter(str(error).splitlines()), "")
                or f"the race's {settings.max_minutes:g} minutes were over before it was judged"
            )
            entrants.append(Entrant(network=runner.network, weights=runner.weights, left_out=why))
            say(f"  race_left_out={runner.network} ({why})")
            continue
        entrants.append(judged.entrant)
        pictures, machine = judged.pictures, judged.machine
        say(f"  {in_words(judged.entrant)}")
    return Race(
        dataset=settings.dataset,
        pictures=pictures,
        classes=len(found.classes),
        machine=machine,
        bounds=settings.bounds,
        entrants=tuple(entrants),
    )


def check_won(outcome: Race) -> None:
    """See that there is a winner.

    Raises:
        NoWinner: there is none; the message says why.
    """
    if outcome.ranked:
        return
    if all(each.left_out for each in outcome.entrants):
        reasons = "; ".join(f"{each.network}: {each.left_out}" for each in outcome.entrants)
        raise NoWinner(f"no network could be judged. {reasons}")
    raise NoWinner(
        f"{missed(outcome.entrants, outcome.bounds)}. Raise the bounds of [race], or name smaller networks"
    )


def in_words(each: Entrant) -> str:
    """One line of the log about a network that was judged."""
    parts = [f"race_accuracy={each.accuracy:.4f}"]
    parts += [f"ms={each.ms:.2f}"] if each.ms is not None else []
    parts += [f"mb={each.mb:.1f}"] if each.mb is not None else []
    parts += [f"usd_per_million={each.usd_per_million:.2f}"] if each.usd_per_million is not None else []
    return f"{' '.join(parts)} ({each.network}, {each.precision or 'PyTorch'}, {each.seconds:.0f} s)"


def _judge(runner: Runner, settings: RaceSettings, drawn: Found, channels: Path, stop: StopSignal) -> _Judged:
    start = time.perf_counter()
    config = _config(runner, settings)
    machine = Machine.prepare(cores(), config)
    network = model.build(config, len(drawn.classes), channels / runner.weights, machine)
    loaded = time.perf_counter()
    dataset = load(drawn, config, stop)
    loaded = time.perf_counter() - loaded
    parts = [Batches(each, dataset.transform, config, machine) for each in (dataset.train, dataset.valid)]
    said = told(network, parts, stop)
    for each in dataset.splits:
        each.images.release()
    labels = torch.cat([part.split.labels for part in parts])
    spread = whitened(said.features, _DIRECTIONS, settings.seed)
    fold = torch.from_numpy(folds(labels.numpy(), _copies(dataset), settings.seed))
    every = torch.ones(len(labels), dtype=torch.bool)
    probability = probabilities(spread, labels, fold, every, stop.check)
    # An endpoint decodes too: of a quick network that is much of its work.
    busy = None if said.seconds is None else len(labels) / (loaded + said.seconds)
    licence = network.origin.get("licence", "")
    entrant = Entrant(
        network=runner.network,
        weights=str(network.origin.get("source", runner.weights)),
        accuracy=float((probability.argmax(1) == labels).float().mean()),
        precision=said.precision,
        ms=said.ms,
        mb=said.mb,
        per_second=busy,
        usd_per_million=(
            settings.usd_per_hour * _MILLION / busy / _HOUR if settings.usd_per_hour and busy else None
        ),
        seconds=round(time.perf_counter() - start, 1),
        restriction=networks.restriction(f"the weights of {runner.network}", licence),
    )
    return _Judged(entrant, len(labels), str(machine))


def _config(runner: Runner, settings: RaceSettings) -> Config:
    weights = runner.weights if runner.weights in ("imagenet", "none") else "pretrained"
    size = {} if settings.image_size is None else {"image_size": str(settings.image_size)}
    return hyperparameters.parse(
        {
            "arch": runner.network,
            "weights": weights,
            "trainable_from": networks.HEAD,
            "augment": "none",
            "seed": str(settings.seed),
            **size,
        }
    )


def _drawn(found: Found, seed: int) -> Found:
    """The files of the race: of each class of train and valid the same share, and one test picture each,
    because a split without pictures is an error elsewhere.
    """
    files = dict(found.files)
    count = sum(len(names) for split in ("train", "valid") for names in files[split].by_class.values())
    share = min(1.0, MAX_PICTURES / max(1, count))
    shares: Mapping[str, float] = {"train": share, "valid": share, "test": 0.0}
    for split, part in shares.items():
        taken = {label: _taken(names, part, seed) for label, names in files[split].by_class.items()}
        files[split] = replace(files[split], by_class=taken)
    return replace(found, files=files)


def _taken(names: Sequence[str], share: float, seed: int) -> list[str]:
    if share == 1.0:
        return list(names)
    order = torch.randperm(len(names), generator=generator(seed, "race"))
    return [names[place] for place in sorted(order[: max(1, round(len(names) * share))].tolist())]


def _copies(dataset: Dataset) -> Numbers:
    """Of each picture the first of the same content: copies belong into one fold."""
    digests = dataset.train.digests + dataset.valid.digests
    rows = np.frombuffer(digests, dtype=f"S{DIGEST_BYTES}")
    _, first, inverse = np.unique(rows, return_index=True, return_inverse=True)
    copies: Numbers = first[inverse].astype(np.int64)
    return copies
