"""The pictures of a job: three splits of class folders, listed, checked and decoded once.

`find` lists the files and checks that each split has every class; `load` decodes them (`decoding`). What
cannot be decoded is skipped, counted and listed, and only too much of it ends the job.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch

from contract.datasets import SUFFIXES
from contract.evaluation import Leaked
from contract.pictures.transform import Transform
from contract.words import listed
from training_code.config import Config
from training_code.data import leaks, listed_files, picture_files
from training_code.data.decoded_images import DecodedImages, PictureDecoder
from training_code.data.decoding import Content, SplitReader, fingerprint
from training_code.data.picture_files import Files
from training_code.data.split import Skipped, Split
from training_code.data.table import Table
from training_code.distributed.process_group import ALONE, ProcessGroup
from training_code.errors import UnusableDataset
from training_code.log import say
from training_code.seeds import generator
from training_code.stopping import StopSignal

_NAMED = 5
"""Classes that a sentence names; of more, how many."""


@dataclass(frozen=True)
class Found:
    """The files there are to train on, and the classes in the order of their index."""

    classes: tuple[str, ...]
    files: Mapping[str, Files]

    def reader(self, split: str, stop: StopSignal, group: ProcessGroup) -> SplitReader:
        """What reads all files of a split, class by class."""
        of_class = self.files[split].by_class
        names = [f"{label}/{file}" for label in self.classes for file in of_class[label]]
        return SplitReader(self.files[split], names, stop, group)

    def fingerprint(self, split: str, contents: Iterable[Content]) -> str:
        """What tells whether two jobs had the same split: of a list, names count for nothing."""
        return fingerprint(contents, by_name=self.files[split].listed is None)


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

    @cached_property
    def leaked(self) -> Leaked:
        """The pictures that are in two splits."""
        return leaks.between(self.train, self.valid, self.test)

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


def find(folders: Mapping[str, Path], config: Config, lists: Path | None = None) -> Found:
    """List the files of train, valid and test, and take the share of the training pictures asked for.

    Args:
        lists: the channel with the lists of a data set's version; None: all files of the folders are meant.

    Raises:
        UnusableDataset: classes missing, empty or too few; a packed split or a list that cannot be read; a
            listed picture that is not there.
    """
    if lists is None:
        found = {name: picture_files.find(folder) for name, folder in folders.items()}
    else:
        found = listed_files.find(folders, lists)
    classes = _common_classes({name: each.by_class for name, each in found.items()})
    train = found["train"]
    found["train"] = replace(train, by_class=_share(train.by_class, config))
    return Found(classes, found)


def load(
    found: Found,
    config: Config,
    stop: StopSignal,
    group: ProcessGroup = ALONE,
    undecoded: Mapping[str, Sequence[Content]] | None = None,
) -> Dataset:
    """Decode the pictures.

    Args:
        found: what there is.
        config: image size, augmentation and how much may be skipped are used.
        stop: looked at while decoding.
        group: the processes that do it together; each gets the whole.
        undecoded: the contents of splits whose pixels nobody needs (`FeatureCache.complete`).

    Raises:
        UnusableDataset: too many pictures damaged.
        OutOfMemory: the decoded pictures fit neither onto the disk nor into memory.
        Stopped: the job was told to stop.
    """
    cached = undecoded or {}

    def split(name: str) -> Split:
        decoder = PictureDecoder.of(config, name)
        if name in cached:
            decoded = _split(name, found, decoder, cached[name], None)
        else:
            decoded = _split(name, found, decoder, *found.reader(name, stop, group).decode(decoder))
        _check_skipped(decoded, found.classes, config.max_skipped)
        return decoded

    transform = Transform.of(config.arch, config.image_size)
    return Dataset(found.classes, transform, split("train"), split("valid"), split("test"))


def _split(
    name: str, found: Found, decoder: PictureDecoder, contents: Sequence[Content], table: Table | None
) -> Split:
    rows = [row for row, content in enumerate(contents) if not content.problem]
    if found.files[name].listed is not None:  # the same contents and labels are the same split, in one order
        rows.sort(key=lambda row: (contents[row].label, contents[row].digest))
    names = tuple(contents[row].name for row in rows)
    index = {label: position for position, label in enumerate(found.classes)}
    return Split(
        name=name,
        images=DecodedImages(decoder, found.files[name], names, table, torch.tensor(rows)),
        labels=torch.tensor([index[contents[row].label] for row in rows]),
        files=names,
        fingerprint=found.fingerprint(name, contents),
        digests=b"".join(bytes.fromhex(contents[row].digest) for row in rows),
        skipped=tuple(Skipped(f"{name}/{each.name}", each.problem) for each in contents if each.problem),
    )


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
        taken[label] = [names[index] for index in sorted(order[:count].tolist())]
    return taken


def _check_skipped(split: Split, classes: tuple[str, ...], most: float) -> None:
    if not split.skipped:
        return
    first = f"{split.skipped[0].file}: {split.skipped[0].reason}"
    count = len(split) + len(split.skipped)
    if len(split.skipped) > count * most:
        raise UnusableDataset(
            f"{len(split.skipped)} of {count} pictures of the split {split.name!r} cannot be used, more than "
            f"{most:.0%} (max_skipped); the first is {first}"
        )
    left = Counter(split.labels.tolist())
    without = [label for position, label in enumerate(classes) if not left[position]]
    if without:
        raise UnusableDataset(
            f"no usable picture is left of {_listed(without)} in the split {split.name!r}; "
            f"the first skipped is {first}"
        )


def _listed(labels: list[str]) -> str:
    return listed([repr(label) for label in labels], _NAMED)


def announce(dataset: Dataset, most: int = 20) -> None:
    """Say in the log what there is to train on, what was left out, and what makes learning hard."""
    counts = ", ".join(f"{len(split)} {split.name}" for split in dataset.splits)
    print(f"{counts} pictures in {len(dataset.classes)} classes", flush=True)
    skipped = [each for split in dataset.splits for each in split.skipped]
    for each in skipped[:most]:
        say(f"skipped {each.file}: {each.reason}")
    if len(skipped) > most:
        print(f"skipped {len(skipped) - most} more", flush=True)
    _announce_leaks(dataset.leaked)
    of_class = torch.bincount(dataset.train.labels, minlength=len(dataset.classes)).tolist()
    single = [label for label, count in zip(dataset.classes, of_class, strict=True) if count == 1]
    if single:
        print(
            f"warning: one single training picture of {_listed(single)}; a network learns that picture, "
            f"not the class",
            flush=True,
        )


def _announce_leaks(leaked: Leaked, most: int = 3) -> None:
    """Say which pictures are in two splits: before the training, which can still be stopped."""
    if count := leaked["test_in_train"]:
        names = [f"test/{test} is train/{train}" for test, train in leaked["pairs"][:most]]
        more = [f"{count - len(names)} more"] if count > len(names) else []
        say(
            f"warning: {count} test pictures are also training pictures, so the quality gate will refuse the "
            f"model ({', '.join([*names, *more])}): take them out of one of the two splits"
        )
    if count := leaked["valid_in_train"]:
        say(f"warning: {count} validation pictures are also training pictures")
    if count := leaked["test_in_valid"]:
        say(f"warning: {count} test pictures are also validation pictures")
