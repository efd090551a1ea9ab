"""The pictures of a job, decoded once: from three folders of class folders to arrays of pixels.

`load` is the whole way: find the classes, check that each split has them all, take the share of the training
pictures that was asked for, decode everything in parallel. What cannot be decoded is skipped, counted and
listed, and only too much of it ends the job. The pixels stay in memory while they take no more than a share
of what is free, else in an unlinked scratch file: memory stays bounded however many pictures there are.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training_code.config import Config
from training_code.errors import OutOfMemory, UnusableDataset
from training_code.machine import available_memory, cores
from training_code.pictures import SUFFIXES, Pixels, Transform, UndecodablePicture, decode
from training_code.seeds import generator
from training_code.stopping import StopSignal

MAX_SKIPPED_SHARE: Final = 0.1
"""More undecodable pictures than this in a split end the job: then something is wrong with all of it."""

_MEMORY_SHARE: Final = 0.25
"""Of the free memory, what decoded pictures may take; the rest is for the network and its gradients."""

_CHUNK: Final = 256
"""Pictures decoded between two looks at the stop signal."""

_Look = tuple[int, str, str]
"""What looking at a file tells: its size in bytes, its SHA-256, and what is wrong with it."""


@dataclass(frozen=True)
class Skipped:
    """A file that could not be used, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Split:
    """The decoded pictures of train, valid or test.

    `pixels` has shape (pictures, side, side, 3), uint8; `rows` says which of them are usable; `labels` and
    `files` follow `rows`. `fingerprint` covers the name, size and content of every picture file, skipped
    ones included, so that two jobs can tell whether they saw the same split.
    """

    name: str
    pixels: Tensor
    rows: Tensor
    labels: Tensor
    files: tuple[str, ...]
    fingerprint: str
    digests: frozenset[str]
    skipped: tuple[Skipped, ...]

    def __len__(self) -> int:
        return len(self.files)


@dataclass(frozen=True)
class Dataset:
    """All three splits, the classes in the order of their index, and how pictures become input."""

    classes: tuple[str, ...]
    transform: Transform
    train: Split
    valid: Split
    test: Split

    @property
    def splits(self) -> tuple[Split, Split, Split]:
        return self.train, self.valid, self.test

    @property
    def leaked(self) -> int:
        """How many test pictures are byte for byte among the training pictures."""
        return len(self.test.digests & self.train.digests)

    def describe(self) -> dict[str, dict[str, object]]:
        """Counts and fingerprints for the model's papers."""
        return {
            split.name: {
                "count": len(split),
                "fingerprint": split.fingerprint,
                "skipped": len(split.skipped),
            }
            for split in self.splits
        }


def load(folders: Mapping[str, Path], config: Config, stop: StopSignal, memory: int | None = None) -> Dataset:
    """Find, check and decode the pictures.

    Args:
        folders: the folders of train, valid and test.
        config: image size, training share, augmentation and seed are used.
        stop: looked at while decoding.
        memory: bytes the decoded pictures may take in memory; by default a share of what is free.

    Raises:
        UnusableDataset: classes missing, empty or too few; too many pictures damaged.
        OutOfMemory: the decoded pictures fit neither into memory nor onto the disk.
        Stopped: the job was told to stop.
    """
    transform = Transform.of_size(config.image_size)
    files = {split: _files(folder) for split, folder in folders.items()}
    classes = _common_classes(files)
    files["train"] = _share(files["train"], config)
    roomy = config.augment in ("crop", "crop-flip")
    budget = int(available_memory() * _MEMORY_SHARE) if memory is None else memory

    def split(name: str, *, side: int, square: Callable[[Image.Image], Pixels]) -> Split:
        nonlocal budget
        names = [f"{label}/{file}" for label in classes for file in files[name][label]]
        pixels = _room(len(names), side, budget)
        budget -= pixels.nbytes
        return _decoded(name, folders[name], names, classes, pixels, square, stop)

    if roomy:
        train = split("train", side=transform.roomy_side, square=transform.roomy_pixels)
    else:
        train = split("train", side=transform.crop, square=transform.pixels)
    valid = split("valid", side=transform.crop, square=transform.pixels)
    test = split("test", side=transform.crop, square=transform.pixels)
    return Dataset(classes, transform, train, valid, test)


def _files(folder: Path) -> dict[str, list[str]]:
    """The picture files of each class folder, as paths below it, sorted; hidden files are left alone."""
    return {
        label.name: sorted(
            path.relative_to(label).as_posix()
            for path in label.rglob("*")
            if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file()
        )
        for label in sorted(folder.iterdir())
        if label.is_dir() and not label.name.startswith(".")
    }


def _common_classes(files: Mapping[str, Mapping[str, list[str]]]) -> tuple[str, ...]:
    """The classes, if every split has pictures of each of them."""
    classes = sorted({label for split in files.values() for label in split})
    if not classes:
        raise UnusableDataset(
            "there is no class folder in train, valid and test; pictures belong into one folder per class: "
            "train/<class>/<picture>"
        )
    if len(classes) == 1:
        raise UnusableDataset(f"there is only one class, {classes[0]!r}; telling apart takes two or more")
    for split, by_class in files.items():
        without = [label for label in classes if not by_class.get(label)]
        if without:
            raise UnusableDataset(
                f"the split {split!r} has no picture of {_listed(without)}; every class needs pictures in "
                f"train, valid and test (files count that end in {' '.join(sorted(SUFFIXES))})"
            )
    return tuple(classes)


def _share(by_class: Mapping[str, list[str]], config: Config) -> dict[str, list[str]]:
    """The same share of each class's training pictures, at least one, drawn by the seed."""
    if config.train_fraction == 1.0:
        return dict(by_class)
    taken: dict[str, list[str]] = {}
    for position, (label, names) in enumerate(sorted(by_class.items())):
        count = max(1, round(len(names) * config.train_fraction))
        order = torch.randperm(len(names), generator=generator(config.seed, "share", position))
        taken[label] = sorted(names[index] for index in order[:count].tolist())
    return taken


def _room(count: int, side: int, budget: int) -> Pixels:
    """An array for `count` squares: in memory if it fits the budget, else in an unlinked scratch file."""
    shape = (count, side, side, 3)
    size = count * side * side * 3
    if size <= budget:
        return np.empty(shape, dtype=np.uint8)
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if size > free * 0.9:
        raise OutOfMemory(
            f"{count} decoded pictures of {side}x{side} take {size / 1e9:.1f} GB; memory has "
            f"{max(0, budget) / 1e9:.1f} GB for them and the disk {free / 1e9:.1f} GB: give the job a larger "
            f"volume, or lower image_size or train_fraction"
        )
    with tempfile.TemporaryFile() as scratch:
        scratch.truncate(size)
        return np.memmap(scratch, dtype=np.uint8, mode="r+", shape=shape)


def _decoded(
    name: str,
    folder: Path,
    names: list[str],
    classes: tuple[str, ...],
    pixels: Pixels,
    square: Callable[[Image.Image], Pixels],
    stop: StopSignal,
) -> Split:
    lines: list[str] = []
    digests: list[str] = []
    skipped: dict[int, Skipped] = {}

    def look_at(row: int) -> tuple[int, str, str]:
        content = (folder / names[row]).read_bytes()
        try:
            pixels[row] = square(decode(content))
            problem = ""
        except UndecodablePicture as error:
            problem = str(error)
        return len(content), hashlib.sha256(content).hexdigest(), problem

    with ThreadPoolExecutor(cores()) as pool:
        for row, (size, digest, problem) in _in_chunks(pool, look_at, len(names), stop):
            lines.append(f"{names[row]}:{size}:{digest}")
            digests.append(digest)
            if problem:
                skipped[row] = Skipped(f"{name}/{names[row]}", problem)
    rows = [row for row in range(len(names)) if row not in skipped]
    index = {label: position for position, label in enumerate(classes)}
    labels = [index[names[row].split("/", 1)[0]] for row in rows]
    _check_skipped(name, classes, labels, list(skipped.values()), len(names))
    return Split(
        name=name,
        pixels=torch.from_numpy(pixels),
        rows=torch.tensor(rows),
        labels=torch.tensor(labels),
        files=tuple(names[row] for row in rows),
        fingerprint=hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest(),
        digests=frozenset(digests),
        skipped=tuple(skipped.values()),
    )


def _in_chunks(
    pool: ThreadPoolExecutor, work: Callable[[int], _Look], count: int, stop: StopSignal
) -> Iterator[tuple[int, _Look]]:
    """`work` of every row, in order, a chunk at a time so that a stop is quick."""
    for start in range(0, count, _CHUNK):
        stop.check()
        rows = range(start, min(count, start + _CHUNK))
        yield from zip(rows, pool.map(work, rows), strict=True)


def _check_skipped(
    name: str, classes: tuple[str, ...], labels: list[int], skipped: list[Skipped], count: int
) -> None:
    if not skipped:
        return
    first = f"{skipped[0].file}: {skipped[0].reason}"
    if len(skipped) > count * MAX_SKIPPED_SHARE:
        raise UnusableDataset(
            f"{len(skipped)} of {count} pictures of the split {name!r} cannot be used, more than "
            f"{MAX_SKIPPED_SHARE:.0%}; the first is {first}"
        )
    left = Counter(labels)
    without = [label for position, label in enumerate(classes) if not left[position]]
    if without:
        raise UnusableDataset(
            f"no usable picture is left of {_listed(without)} in the split {name!r}; "
            f"the first skipped is {first}"
        )


def _listed(labels: list[str], most: int = 5) -> str:
    shown = ", ".join(repr(label) for label in labels[:most])
    return shown if len(labels) <= most else f"{shown} and {len(labels) - most} more"


def announce(dataset: Dataset, most: int = 20) -> None:
    """Say in the log what there is to train on, and what was left out."""
    counts = ", ".join(f"{len(split)} {split.name}" for split in dataset.splits)
    print(f"{counts} pictures in {len(dataset.classes)} classes", flush=True)
    skipped = [each for split in dataset.splits for each in split.skipped]
    for each in skipped[:most]:
        print(f"skipped {each.file}: {each.reason}", flush=True)
    if len(skipped) > most:
        print(f"skipped {len(skipped) - most} more", flush=True)
    if dataset.leaked:
        print(f"warning: {dataset.leaked} test pictures are also training pictures", flush=True)
