"""Whether what a run's jobs are told suits the data set: what a job finds out without decoding a picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from contract import evaluation_size, memory
from contract.datasets.manifest import Version
from contract.evaluation import MAX_BYTES
from contract.hyperparameters import Hyperparameters
from functions.common.errors import InvalidDataset, InvalidRecipe, listed
from functions.common.recipes.recipe import Recipe

Values = Mapping[str, tuple[Any, ...]]
"""What each hyperparameter may be in a job; of a number that is searched between two bounds, these."""
Alone = Callable[[Recipe], Mapping[str, Any]]
"""From the recipe with the request's own values, the hyperparameters of one training without a search."""

_COMMON_BATCH: Final = 256
"""Recipes are made for larger data sets than some are trained on: up to this many pictures a step, one that
has all pictures is meant.
"""
_SHOWN: Final = 5
_BYTES_OF_A_PIXEL: Final = 6
"""Three colours of two bytes at least: so much of a step's pictures is in memory, whatever the network."""
_BYTES_OF_A_STEM: Final = 32
"""A pixel's share of what a ResNet's first convolution keeps for the way back: 64 channels of half the sides,
in two bytes each at least. All its other layers are left out of the bound.
"""


def possible(recipe: Recipe, alone: Alone | None) -> tuple[Values, ...]:
    """What the jobs of a run may be told: those of a search and its last one, or the one `alone`."""
    if alone is not None:
        return ({key: (value,) for key, value in alone(recipe).items()},)
    ranges = recipe.tuning.ranges if recipe.tuning else ()
    trial = {key: (value,) for key, value in recipe.hyperparameters.items()}
    trial |= {each.name: each.values or (each.low, each.high) for each in ranges}
    return trial, {**trial, **{key: (value,) for key, value in recipe.final.items()}}


def check(
    jobs: tuple[Values, ...], version: Version, instance_count: int = 1, types: Sequence[str] = ()
) -> None:
    """See that these jobs can be trained on this data set. Of a packed one nobody knows the pictures.

    Args:
        types: what the jobs may be on.

    Raises:
        InvalidRecipe: a value that leaves a class no picture, or every epoch a single step, or a step that no
            memory of these types can hold.
        InvalidDataset: there are fewer pictures than the instances need, or more classes than an evaluation
            can name.
    """
    if version.packed:
        return
    _check_evaluation(version)
    of_class = {label: counts["train"] for label, counts in version.classes.items()}
    for values in jobs:
        _check_share(min(_of(values, "train_fraction")), of_class, version)
        share = max(_of(values, "train_fraction"))
        pictures = sum(max(1, round(count * share)) for count in of_class.values())
        _check_batch(max(_of(values, "batch_size")), pictures, version)
        _check_memory(values, pictures, types, instance_count)
        if pictures < 2 * instance_count:  # batch statistics need two
            raise InvalidDataset(
                f"{pictures} training pictures of {version.name} are too few for instance_count = "
                f"{instance_count}: each instance needs two"
            )


def _of(values: Values, key: str) -> tuple[Any, ...]:
    return values.get(key) or (getattr(Hyperparameters, key),)


def _check_share(share: float, of_class: Mapping[str, int], version: Version) -> None:
    if share == 1.0:
        return
    without = sorted(label for label, count in of_class.items() if count * share < 1)
    if without:
        fewest = min(of_class.values())
        raise InvalidRecipe(
            f"train_fraction = {share:g} leaves less than one training picture of "
            f"{listed(without, _SHOWN)} in {version.name}, whose smallest class has {fewest}; it has to be "
            f"at least {_upwards(1 / fewest):g}"
        )


def _check_batch(batch_size: int, pictures: int, version: Version) -> None:
    if batch_size > max(pictures, _COMMON_BATCH):
        raise InvalidRecipe(
            f"batch_size = {batch_size} is more than the {pictures} training pictures of {version.name}: "
            f"every epoch would be one step, with all pictures in memory at once; it has to be "
            f"{max(pictures, _COMMON_BATCH)} at most"
        )


def _check_memory(values: Values, pictures: int, types: Sequence[str], instance_count: int) -> None:
    """What is counted is a part of what a step takes, so that nothing is refused that could fit."""
    most = [memory.most_gib(each) for each in types]
    if not most or None in most or {"stem"} != set(_of(values, "trainable_from")):
        return  # frozen stages may be computed once, and their features take less
    batch, side = min(pictures, max(_of(values, "batch_size"))), min(_of(values, "image_size"))
    known = all(arch.startswith("resnet") for arch in _of(values, "arch"))
    each = side**2 * (_BYTES_OF_A_PIXEL + (_BYTES_OF_A_STEM if known else 0))
    room = max(filter(None, most)) * instance_count * 2**30
    if batch * each > room:
        raise InvalidRecipe(
            f"batch_size = {max(_of(values, 'batch_size'))} with image_size = {side} takes more than "
            f"{batch * each / 2**30:.0f} GiB a step, and {listed(tuple(types), _SHOWN)} has "
            f"{room / 2**30:.0f} GiB at most; it has to be below {room // each + 1}"
        )


def _check_evaluation(version: Version) -> None:
    """A job knows the pictures' names too, which make the bound larger by a hundredth at most."""
    most = evaluation_size.most_bytes(version.classes, version.count("test"), version.count("valid"), 0, 0)
    if most > MAX_BYTES:
        too_large = evaluation_size.too_large(version.classes, most, MAX_BYTES)
        raise InvalidDataset(f"{version.name}: {too_large}")


def _upwards(share: float) -> float:
    """Rounded so that it is no less in three digits."""
    places = 2 - math.floor(math.log10(share))
    return float(math.ceil(share * 10**places) / 10**places)


def pairs(jobs: tuple[Values, ...]) -> Iterator[tuple[str, str]]:
    """Each network with each weights that a job may have together."""
    for values in jobs:
        for arch in values["arch"]:
            for weights in values["weights"]:
                yield arch, weights
