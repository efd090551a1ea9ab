"""A race's hyperparameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from contract import networks
from contract.jobs import DATASET, PRETRAINED
from contract.race import MAX_NETWORKS, Bounds
from training_code.errors import InvalidHyperparameter


@dataclass(frozen=True, kw_only=True)
class Runner:
    """A network of the race, and where its weights come from.

    Attributes:
        network: timm's name.
        weights: `imagenet`, `none`, or the job's channel that they lie in.
    """

    network: str
    weights: str


@dataclass(frozen=True, kw_only=True)
class RaceSettings:
    """What the race is told.

    Attributes:
        dataset: with its version.
        max_minutes: networks that are not judged by then are left out; None: there is no such limit.
        image_size: pixels of a side; None: each network's own.
        usd_per_hour: of an endpoint on this instance type; None: nobody knows.
    """

    dataset: str
    runners: tuple[Runner, ...]
    bounds: Bounds
    max_minutes: float | None
    image_size: int | None
    usd_per_hour: float | None
    seed: int


def parse(hyperparameters: Mapping[str, str]) -> RaceSettings:
    """The race of SageMaker's strings.

    Raises:
        InvalidHyperparameter: `networks` is no list of networks with their weights, or a number is none.
    """
    version = hyperparameters.get("dataset_version", "")
    size = _number(hyperparameters, "image_size")
    return RaceSettings(
        dataset=hyperparameters.get(DATASET, "data set") + (f"@{version}" if version else ""),
        runners=_runners(hyperparameters.get("networks", "")),
        bounds=Bounds(max_ms=_number(hyperparameters, "max_ms"), max_mb=_number(hyperparameters, "max_mb")),
        max_minutes=_number(hyperparameters, "max_minutes"),
        image_size=None if size is None else int(size),
        usd_per_hour=_number(hyperparameters, "usd_per_hour"),
        seed=int(_number(hyperparameters, "seed") or 0),
    )


def _runners(text: str) -> tuple[Runner, ...]:
    try:
        pairs: Any = json.loads(text)
        runners = tuple(Runner(network=network, weights=weights) for network, weights in pairs)
    except (ValueError, TypeError):
        raise InvalidHyperparameter(
            f'networks={text[:80]} is no list of pairs like [["resnet18", "imagenet"]]'
        ) from None
    if not 1 <= len(runners) <= MAX_NETWORKS:
        raise InvalidHyperparameter(f"networks has {len(runners)} networks; allowed are 1 to {MAX_NETWORKS}")
    for each in runners:
        if each.network not in networks.names():
            raise InvalidHyperparameter(f"networks: timm has no classification network {each.network}")
        if each.weights not in ("imagenet", "none") and not each.weights.startswith(PRETRAINED):
            raise InvalidHyperparameter(
                f"networks: the weights of {each.network} are {each.weights}; allowed are imagenet, none, or "
                f"a channel whose name begins with {PRETRAINED}"
            )
    return runners


def _number(hyperparameters: Mapping[str, str], name: str) -> float | None:
    text = hyperparameters.get(name, "")
    try:
        return float(text) if text else None
    except ValueError:
        raise InvalidHyperparameter(f"{name}={text} is no number") from None
