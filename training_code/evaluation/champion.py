"""The model that serves now, on this job's test pictures: so the quality gate compares two on the same ones.

The channel `champion` holds its artifact. It is asked only where its own test split was another one. Nothing
about it can end the job: a champion that cannot be compared is told of, with the reason.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor

from contract import archives
from contract.artifact import CARD, CLASSES, WEIGHTS
from contract.evaluation import ChampionScore
from contract.pictures.transform import Transform
from training_code.config import Config, parse
from training_code.data.batches import Batches
from training_code.data.dataset import Dataset, Found
from training_code.data.decoded_images import DecodedImages, PictureDecoder
from training_code.errors import InvalidHyperparameter
from training_code.evaluation.scores import evaluate
from training_code.hardware.machine import Machine
from training_code.network.fresh import trained
from training_code.stopping import Stopped, StopSignal

_MAX_UNPACKED_BYTES: Final = 8 * 1024**3
_CHUNK: Final = 1024 * 1024
_MAX_BYTES: Final = {CARD: 16 * 1024**2, CLASSES: 16 * 1024**2, WEIGHTS: 2 * 1024**3}
"""What is read of an artifact."""


class _Incomparable(Exception):
    """Why this champion cannot be asked: letters, digits and plain punctuation, for the registry shows it."""


@dataclass(frozen=True)
class _Champion:
    """What of an artifact it takes to ask the model."""

    card: dict[str, Any]
    classes: tuple[str, ...]
    weights: dict[str, Tensor]


def score(
    archive: Path, found: Found, dataset: Dataset, config: Config, machine: Machine, stop: StopSignal
) -> ChampionScore | None:
    """How the champion whose model.tar.gz is `archive` does on the test split.

    None without a champion, when its own evaluation is of these pictures, or when the job is stopped.
    """
    if not archive.is_file():
        return None
    job = ""
    try:
        champion = _read(archive)
        job = str(champion.card.get("training_job", ""))
        if _tested_on(champion.card) == dataset.test.fingerprint:
            return None
        accuracy, predicted = _asked(champion, found, dataset, config, machine, stop)
        return {"training_job": job, "accuracy": accuracy, "predicted": predicted}
    except Stopped:
        return None
    except _Incomparable as reason:
        print(f"the champion is not compared: it {reason}", flush=True)
        return {"training_job": job, "why": str(reason)}


def _asked(
    champion: _Champion, found: Found, dataset: Dataset, config: Config, machine: Machine, stop: StopSignal
) -> tuple[float, list[int] | None]:
    if champion.classes != dataset.classes:
        raise _Incomparable("tells other classes apart")
    transform, card = _transform(champion.card), champion.card
    try:
        network = trained(card["arch"], len(champion.classes), transform.crop, champion.weights)
    except (KeyError, ValueError, TypeError, RuntimeError, InvalidHyperparameter):
        raise _Incomparable("has weights that fit no network of this training code") from None
    machine.place(network)
    # The same pictures, decoded as they are asked for to squares of the champion's size.
    images = DecodedImages(PictureDecoder(transform), found.files["test"], dataset.test.files)
    split = replace(dataset.test, images=images)
    result = evaluate(network, Batches(split, transform, config, machine), len(champion.classes), stop)
    # In words: the metrics of this job are its own model's.
    print(
        f"the champion has an accuracy of {result.accuracy:.6f} and a loss of {result.loss:.6f} on these "
        f"{len(result.labels)} test pictures",
        flush=True,
    )
    return result.accuracy, result.answers()["predicted"]


def _tested_on(card: dict[str, Any]) -> str:
    """The fingerprint of the champion's own test split."""
    try:
        return str(card["data"]["test"]["fingerprint"])
    except (KeyError, TypeError):
        return ""


def _transform(card: dict[str, Any]) -> Transform:
    try:
        arch = parse({"arch": card["arch"]}).arch
    except (KeyError, InvalidHyperparameter):
        raise _Incomparable("has weights that fit no network of this training code") from None
    try:
        transform = Transform.of(arch, parse({"image_size": card["image_size"]}).image_size)
    except (KeyError, InvalidHyperparameter):
        raise _Incomparable("does not say how its pictures are prepared") from None
    if transform.describe() != card.get("transform"):
        raise _Incomparable("prepares its pictures in another way than this training code")
    return transform


def _read(archive: Path) -> _Champion:
    """The parts of the artifact that are needed, read without unpacking anything to the disk."""
    try:
        with gzip.open(archive) as packed:
            parts = _parts(packed)
        card, classes = json.loads(parts[CARD]), json.loads(parts[CLASSES])
        weights = safetensors.torch.load(parts[WEIGHTS])
    except (*archives.DAMAGED, SafetensorError):
        raise _Incomparable("cannot be read as a model of this project") from None
    if not isinstance(card, dict) or not isinstance(classes, list):
        raise _Incomparable("cannot be read as a model of this project")
    return _Champion(card, tuple(str(each) for each in classes), weights)


def _parts(packed: gzip.GzipFile) -> dict[str, bytes]:
    parts: dict[str, bytes] = {}
    for member, file in archives.files(packed, _MAX_UNPACKED_BYTES):
        name = member.name.removeprefix("./")
        if member.size <= _MAX_BYTES.get(name, -1):
            parts[name] = b"".join(iter(partial(file.read, _CHUNK), b""))
        if len(parts) == len(_MAX_BYTES):
            break
    return parts
