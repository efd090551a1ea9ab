"""What was accepted becomes a data set's new version, and what its sender wants back leaves the newest one.

A picture keeps its request's id in its name, and its sender as its group: pictures of one sender are in one
split. Pictures that were there stay where they are; one that was there under another class changes its class.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cli.corrections.kept import Entry
from cli.data import pictures, splits, sync
from cli.data.sync import Plan
from cli.data.upload import Found, Todo, check_name, look, missing, send, write
from cli.errors import CliError
from cli.target import Target
from contract import given
from contract.datasets import SPLITS, manifest, rules, store
from contract.datasets.manifest import Origin, Picture, Version
from contract.given import Decided
from contract.words import did_you_mean, listed

_MADE = tuple(split for split in SPLITS if split != "train")


class CannotBecomeAVersion(CliError):
    """What was accepted cannot be put into the data set; nothing was changed."""


@dataclass(frozen=True)
class Draft:
    """A version to be."""

    dataset: str
    found: Found
    plan: Plan
    paths: dict[str, str]
    """The file of each new content."""
    accepted: tuple[str, ...]
    """The requests whose pictures are in it."""


def newest(s3: Any, bucket: str, dataset: str) -> tuple[Found, Version]:
    """The newest version of a data set.

    Raises:
        CannotBecomeAVersion: there is none that pictures could be added to.
    """
    found = look(s3, bucket, check_name(dataset))
    if found.version is None:
        raise CannotBecomeAVersion(f'There is no data set "{dataset}". Choose another with --dataset.')
    if found.version.packed:
        raise CannotBecomeAVersion(
            f"{found.version.name} is packed as tar files, to which nothing can be added: unpack it and "
            f"upload the folder as {dataset}."
        )
    return found, found.version


def classes_of(s3: Any, bucket: str, dataset: str) -> tuple[str, ...]:
    """The classes of a data set's newest version."""
    return tuple(newest(s3, bucket, dataset)[1].classes)


def must_be_a_class(label: str, classes: Sequence[str], dataset: str) -> None:
    """Refuses a class that the data set has not: it would have no picture in the other splits."""
    if label not in classes:
        raise CannotBecomeAVersion(
            f'The data set "{dataset}" has no class {label!r}.{did_you_mean(label, classes)} There are: '
            f"{listed(classes, 10)}. A new class begins with an upload."
        )


def draft(
    s3: Any,
    bucket: str,
    dataset: str,
    entries: Iterable[Entry],
    read: Callable[[str], bytes],
    folder: Path,
) -> Draft:
    """What the accepted ones of these would make of the data set's newest version.

    Args:
        read: gives a request's picture.
        folder: for the pictures' files, until the version is written.

    Raises:
        CannotBecomeAVersion: one is broken, or of a class that the data set has not.
    """
    found, version = newest(s3, bucket, dataset)
    before = sync.before(version, store.pictures(s3, bucket, version), {})
    paths: dict[str, str] = {}
    came: dict[str, Picture] = {}
    accepted = []
    for entry in entries:
        if entry.review is None or entry.review.decided != Decided.ACCEPTED or entry.review.version:
            continue
        label = str(entry.review.label)
        must_be_a_class(label, tuple(version.classes), dataset)
        picture, path = _picture(entry, label, read(entry.id), folder)
        other = came.setdefault(picture.content, picture)
        if other.label != label:
            raise CannotBecomeAVersion(
                f"{other.name} and {picture.name} are the same picture, accepted as {other.label} and as "
                f"{label}. Decide one of them again: --accept {entry.id} --as CLASS."
            )
        paths[picture.content] = str(path)
        accepted.append(entry.id)
    plan = sync.plan(_merged(before.pictures, came), before)
    made = Draft(dataset, found, plan, paths, tuple(accepted))
    _must_work(made)
    return made


def bring(
    target: Target, s3: Any, bucket: str, made: Draft, agree: Callable[[Todo], None], source: str = ""
) -> Version:
    """Write a draft; returns the newest version, which is the one before where the draft changes nothing.

    Args:
        agree: is told what is sent and copied before anything is, and raises if that is too much.
        source: where it is from, in words; empty: that it was given.
    """
    before = made.found.version
    assert before is not None  # noqa: S101 - `draft` looked
    if not made.plan.changes:
        return before
    todo = missing(s3, bucket, made.dataset, made.plan)
    if todo.pictures:
        agree(todo)
    send(target, bucket, made.dataset, todo, made.paths, made.plan.before.sources)
    return write(
        s3,
        bucket,
        made.dataset,
        made.plan,
        made.found.lying,
        origin=Origin.CORRECTIONS,
        source=source or f"{len(made.accepted)} given",
        group_by=before.group_by,
    )


def without(
    target: Target, s3: Any, bucket: str, dataset: str, request_id: str, agree: Callable[[Todo], None]
) -> Version | None:
    """The newest version made anew without a request's picture; None where it has none of it.

    Raises:
        CannotBecomeAVersion: a class would have no picture in a split any more.
    """
    found, version = newest(s3, bucket, dataset)
    before = sync.before(version, store.pictures(s3, bucket, version), {})
    rest = [each for each in before.pictures if given.request_in_a_dataset(each.name) != request_id]
    if len(rest) == len(before.pictures):
        return None
    made = Draft(dataset, found, sync.plan(rest, before), {}, ())
    _must_work(made)
    return bring(target, s3, bucket, made, agree, f"without {request_id}")


def holding(s3: Any, bucket: str, dataset: str, request_id: str) -> list[Version]:
    """The versions of a data set that have a request's picture. Each list of pictures is read once."""
    has: dict[str, bool] = {}
    found = []
    for number in store.numbers(s3, bucket, dataset):
        version = store.read(s3, bucket, dataset, number)
        for key in version.shards:
            if key not in has:
                names = (each.name for each in store.listed(s3, bucket, [key]))
                has[key] = any(given.request_in_a_dataset(name) == request_id for name in names)
        if any(has[key] for key in version.shards):
            found.append(version)
    return found


def in_a_folder() -> tempfile.TemporaryDirectory[str]:
    """Where the pictures of a draft lie: gone with the block."""
    return tempfile.TemporaryDirectory(prefix="classifier-given-")


def _must_work(made: Draft) -> None:
    problem = rules.problem(manifest.count(made.plan.pictures))
    if problem:
        raise CannotBecomeAVersion(
            f'So the data set "{made.dataset}" {problem.what}: {problem.remedy}. Nothing was changed.'
        )


def _picture(entry: Entry, label: str, content: bytes, folder: Path) -> tuple[Picture, Path]:
    path = folder / f"{entry.id}.jpg"
    path.write_bytes(content)
    checked = pictures.check(path)
    if checked.problem:
        raise CannotBecomeAVersion(
            f"The picture of {entry.id} {checked.problem}. Reject it: --reject {entry.id}."
        )
    return (
        Picture(
            label=label,
            split="",
            name=given.name_in_a_dataset(entry.id, checked.suffix),
            content=checked.content,
            size=checked.size,
            key=checked.content + checked.suffix,
            group=given.group_of(entry.given.sender),
        ),
        path,
    )


def _merged(before: Sequence[Picture], came: dict[str, Picture]) -> list[Picture]:
    """The pictures of before, of the accepted classes, and the new ones, each with its split."""
    there = {picture.content for picture in before}
    stay = [
        replace(picture, label=came[picture.content].label) if picture.content in came else picture
        for picture in before
    ]
    new = [picture for content, picture in came.items() if content not in there]
    dealt = splits.fill(
        [splits.Candidate(each.content, each.label, each.group) for each in [*stay, *new]],
        _MADE,
        {picture.content: picture.split for picture in before},
    )
    return rules.named_once([*stay, *(replace(picture, split=dealt[picture.content]) for picture in new)])
