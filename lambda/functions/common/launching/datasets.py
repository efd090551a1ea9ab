"""Which version of a data set a run reads: the newest, the one it names, or one made of what lies there.

A version is read without listing anything, however many pictures it has. What came past `classifier upload`
has to be looked at, and becomes a version when a run begins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from contract import storage
from contract.datasets import SPLITS, plain, rules, store
from contract.datasets.manifest import InvalidVersion, Version
from contract.objects import folders
from functions.common.errors import InvalidDataset, UnknownDataset, listed, suggest

_SHOWN: Final = 20
"""Of names that somebody else made, in a message: there can be thousands."""
_ATTEMPTS: Final = 3


@dataclass(frozen=True)
class Usable:
    """A version that a training can begin with."""

    version: Version
    draft: store.Draft | None = None
    """What the version is going to be made of; None for one that is there."""
    notes: tuple[str, ...] = ()
    """What its owner should know, in sentences."""


def find(s3: Any, bucket: str, dataset: str, number: int | None = None) -> Usable:
    """The version that a request means. Nothing is written.

    Args:
        number: of the version; None: the newest, or what lies there.

    Raises:
        UnknownDataset: there is none; the message has the nearest and all there are.
        InvalidDataset: it cannot be trained on.
    """
    try:
        if number is None:
            usable = _newest(s3, bucket, dataset)
        else:
            usable = Usable(_numbered(s3, bucket, dataset, number))
    except s3.exceptions.NoSuchBucket:
        raise UnknownDataset(
            f"the data bucket {bucket} does not exist any more: somebody deleted it past its stack; "
            "classifier up says what to do"
        ) from None
    except (InvalidVersion, plain.Unusable) as error:
        raise InvalidDataset(str(error)) from None
    _check_classes(bucket, usable.version)
    return usable


def settled(s3: Any, bucket: str, usable: Usable) -> Version:
    """The version itself, written now where it was not there yet.

    Raises:
        UnknownDataset, InvalidDataset: somebody changed the data set since it was found.
    """
    for attempt in range(_ATTEMPTS):
        if usable.draft is None:
            break
        try:
            return store.write(s3, bucket, usable.draft)
        except store.ChangedMeanwhile as error:  # another run of the same data set was first, as a rule
            if attempt == _ATTEMPTS - 1:
                raise InvalidDataset(str(error)) from None
            usable = find(s3, bucket, usable.version.dataset)
    return usable.version


def _numbered(s3: Any, bucket: str, dataset: str, number: int) -> Version:
    try:
        return store.read(s3, bucket, dataset, number)
    except store.NoSuchVersion as error:
        if not _anything(s3, bucket, storage.versions_of(dataset)) and not _anything(
            s3, bucket, f"{dataset}/"
        ):
            raise _unknown(s3, bucket, dataset) from None
        raise UnknownDataset(str(error)) from None


def _newest(s3: Any, bucket: str, dataset: str) -> Usable:
    newest = store.newest(s3, bucket, dataset)
    uploaded = newest is not None and newest.root == storage.pictures_of(dataset)
    if newest is not None and uploaded and not _anything(s3, bucket, f"{dataset}/"):
        return Usable(newest)
    try:
        there = plain.look(s3, bucket, dataset, most=plain.MOST_IN_A_FUNCTION)
    except plain.TooMany:
        if newest is None:
            raise
        return Usable(newest, notes=(_not_compared(bucket, newest),))
    if newest is None and not there.objects:
        raise _unknown(s3, bucket, dataset)
    if newest is not None and (there.digest == newest.plain or (uploaded and not there.objects)):
        return Usable(newest)
    if newest is not None and uploaded:
        raise InvalidDataset(
            f"what lies at s3://{bucket}/{dataset}/ was changed past `classifier upload` after version "
            f'{newest.number} of the data set "{dataset}" was made. To train on it: `classifier dataset '
            f"{dataset} --adopt` makes it a new version. To train on version {newest.number} as it is: name "
            f"the data set {newest.name}"
        )
    drafted = plain.draft(bucket, there, newest)
    version = store.preview(s3, bucket, drafted.draft)
    return Usable(version, drafted.draft, _left_out(drafted))


def _not_compared(bucket: str, version: Version) -> str:
    return (
        f"s3://{bucket}/{version.dataset}/ holds too many objects to see here whether they changed since "
        f"{version.name} was made; `classifier dataset {version.dataset} --adopt` looks at all of them"
    )


def _left_out(drafted: plain.Drafted) -> tuple[str, ...]:
    notes = []
    if drafted.copies:
        notes.append(f"{drafted.copies} copies of other pictures are left out")
    if drafted.contradictions:
        notes.append(f"{drafted.contradictions} pictures that are in several classes are left out")
    return tuple(notes)


def _check_classes(bucket: str, version: Version) -> None:
    """A packed version's classes are not known before its job reads them."""
    if version.packed:
        return
    empty = [split for split in SPLITS if version.pictures and not version.count(split)]
    if empty:
        raise InvalidDataset(
            f"the data set {version.name} has no picture in {', '.join(empty)}; it needs "
            f"{', '.join(SPLITS)}, each with one folder per class (classifier upload makes the splits)"
        )
    problem = rules.problem(version.classes)
    if problem is not None:
        raise InvalidDataset(
            f"the data set {version.name} (s3://{bucket}/{version.root}) {problem.what}; {problem.remedy}"
        )


def _unknown(s3: Any, bucket: str, dataset: str) -> UnknownDataset:
    plain_ones = set(folders(s3, bucket, "")) - {storage.DATASETS, storage.BATCH_UPLOADS}
    names = sorted(plain_ones | set(folders(s3, bucket, f"{storage.DATASETS}/")))
    return UnknownDataset(
        f'there is no data set "{dataset}" in s3://{bucket}{suggest(dataset, names) or ";"} '
        f"there are: {listed(names, _SHOWN)} (upload one: classifier upload DIR)"
    )


def _anything(s3: Any, bucket: str, prefix: str) -> bool:
    return bool(s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1).get("Contents"))
