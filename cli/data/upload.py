"""Bringing a data set's next version into the data bucket: in parallel, each picture once.

A picture's key is its content's hash, so what is there already is not sent again, whatever its name was. The
version is written when all its pictures are there; until then the version before is the newest.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.cost.prices import of_storing
from cli.data.findings import BadDataset, BadUpload
from cli.data.sending import WORKERS, Sender, in_parallel
from cli.data.sync import Plan
from cli.errors import RequestFailed
from cli.target import Target
from contract import storage
from contract.datasets import changes, manifest, plain, store
from contract.datasets.manifest import Origin, Picture, Version
from contract.names import DATASET


@dataclass(frozen=True)
class Todo:
    """What an upload will send."""

    pictures: tuple[Picture, ...]
    present: int
    """How many of the version's pictures are there."""

    @property
    def gigabytes(self) -> float:
        return sum(picture.size for picture in self.pictures) / 1e9

    @property
    def cost(self) -> str:
        """What S3 bills for it, in words."""
        count = len(self.pictures)
        return f"This uploads {count} pictures{of_storing(count, self.gigabytes)}"


def check_name(name: str) -> str:
    """The data set's name, if a bucket key, a job's tag and a Lambda payload can all carry it."""
    if not DATASET.fullmatch(name):
        raise BadUpload(
            f"{name!r} cannot be a data set's name: letters, digits, dots, dashes and underscores, at most "
            "63, beginning with a letter or digit, and not `datasets`. Choose one with --dataset."
        )
    return name


def missing(s3: Any, bucket: str, dataset: str, plan: Plan) -> Todo:
    """What is not there yet.

    The version before tells most of it. For the rest the bucket is listed where that takes fewer requests
    than sending it.
    """
    known = {picture.key for picture in plan.before.pictures} if not plan.before.sources else set()
    todo = [picture for picture in plan.pictures if picture.key not in known]
    if len(todo) > len(known) / 1000:
        there = store.existing(s3, bucket, dataset)
        todo = [picture for picture in todo if picture.key not in there]
    return Todo(tuple(todo), len(plan.pictures) - len(todo))


def send(
    target: Target,
    bucket: str,
    dataset: str,
    todo: Todo,
    paths: Mapping[str, str],
    sources: Mapping[str, str],
    on_sent: Callable[[int], None] = lambda count: None,
) -> None:
    """Bring the pictures that are not there.

    Args:
        paths: the file of each content.
        sources: the object of each content that S3 can copy from instead.
        on_sent: called with the number of pictures just done.
    """
    on_sent(todo.present)
    with Sender(target, bucket, storage.pictures_of(dataset), WORKERS) as sender:

        def bring(picture: Picture) -> None:
            source = sources.get(picture.content)
            if source is None:
                kind = mimetypes.guess_type(picture.key)[0] or "application/octet-stream"
                body = _content(Path(paths[picture.content]), picture)
                sender.put(picture.key, body, kind, picture.content)
            else:
                sender.copy(picture.key, source)

        in_parallel(todo.pictures, bring, on_sent)


def _content(path: Path, picture: Picture) -> bytes:
    """What a picture's file holds still."""
    body = path.read_bytes()
    if hashlib.sha256(body).hexdigest() != picture.content:
        raise BadDataset(f"{path} changed while it was uploaded. Run the same command again.")
    return body


def write(
    s3: Any,
    bucket: str,
    dataset: str,
    plan: Plan,
    lying: plain.Plain,
    *,
    origin: str,
    source: str,
    group_by: str = "",
) -> Version:
    """Make the plan the newest version.

    Args:
        lying: what something else put there, which this version is made without.
        origin, source: how it came to be, and of which folder.
        group_by: the rule of its groups.

    Raises:
        RequestFailed: somebody else made a version meanwhile.
    """
    parent = plan.before.version
    draft = store.Draft(
        dataset=dataset,
        origin=origin,
        root=storage.pictures_of(dataset),
        pictures=plan.pictures,
        parent=parent,
        source=source,
        plain=lying.digest,
        changes=changes.count(plan.changes),
        group_by=group_by,
    )
    try:
        return store.write(s3, bucket, draft)
    except store.ChangedMeanwhile as error:
        raise RequestFailed(str(error)) from None


@dataclass(frozen=True)
class Found:
    """What the bucket has of a data set."""

    version: Version | None
    lying: plain.Plain
    """What something else than `classifier upload` put there."""

    @property
    def passed_over(self) -> int:
        """How many objects lie there that the newest version was made without."""
        unseen = self.version is not None and self.version.plain != self.lying.digest
        return len(self.lying.objects) if unseen else 0


def look(s3: Any, bucket: str, dataset: str) -> Found:
    """The newest version. What something else brought is adopted as one, if there is none or only such.

    Raises:
        BadDataset: what lies there is no data set; says what to do.
    """
    try:
        version = store.newest(s3, bucket, dataset)
        lying = plain.look(s3, bucket, dataset)
        if version is None or version.origin == Origin.ADOPTED:
            changed = lying.objects and (version is None or version.plain != lying.digest)
            version = plain.adopt(s3, bucket, lying, version).version if changed else version
    except (manifest.InvalidVersion, plain.Unusable) as error:
        raise BadDataset(f"{error}.") from None
    return Found(version, lying)
