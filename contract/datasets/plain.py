"""Pictures that something else than `classifier upload` put into the bucket, such as `aws s3 sync`.

They lie at `<dataset>/{train,valid,test}/<class>/<picture>`, or packed as one tar per split. When they are
first used, and whenever they changed since, they are adopted: a version is written that names them where they
lie.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contract.datasets import SPLITS, rules, store
from contract.datasets.manifest import ETAG, Origin, Picture, Version
from contract.objects import below
from contract.words import listed

MOST_IN_A_FUNCTION: Final = 50_000
"""Keys that a launcher lists before it asks for `classifier dataset NAME --adopt`: some ten seconds."""


class Unusable(ValueError):
    """What lies there cannot be trained on; the message says why and what to do."""


class TooMany(Unusable):
    """More keys than may be listed here."""


@dataclass(frozen=True)
class Object:
    """An object below `<dataset>/`."""

    key: str
    """Below `<dataset>/`."""
    etag: str
    size: int


@dataclass(frozen=True)
class Plain:
    """What lies at `<dataset>/`."""

    dataset: str
    objects: tuple[Object, ...]

    @property
    def digest(self) -> str:
        """Changes with every key, size and content; empty when nothing lies there."""
        if not self.objects:
            return ""
        lines = (f"{each.key}\0{each.etag}\0{each.size}" for each in self.objects)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


@dataclass(frozen=True)
class Adoption:
    """The version that was made of it, and what was left out."""

    version: Version
    copies: int
    contradictions: int


@dataclass(frozen=True)
class Drafted:
    """What a version would be made of, and what would be left out."""

    draft: store.Draft
    copies: int
    contradictions: int


def look(s3: Any, bucket: str, dataset: str, most: int | None = None) -> Plain:
    """List what lies at `<dataset>/`.

    Raises:
        TooMany: more than `most` keys.
    """
    prefix = f"{dataset}/"
    objects: list[Object] = []
    for each in below(s3, bucket, prefix):
        key = each["Key"].removeprefix(prefix)
        if key and not (key.endswith("/") and not each["Size"]):  # consoles make "folders" so
            objects.append(Object(key, each["ETag"].strip('"'), int(each["Size"])))
        if most is not None and len(objects) > most:
            raise TooMany(
                f"s3://{bucket}/{prefix} holds more than {most} objects, more than a function lists. Run "
                f"`classifier dataset {dataset} --adopt` once; later runs read what it writes down"
            )
    return Plain(dataset, tuple(objects))


def adopt(s3: Any, bucket: str, plain: Plain, parent: Version | None) -> Adoption:
    """Make what lies at `<dataset>/` the newest version.

    Raises:
        Unusable: it cannot be trained on.
        ChangedMeanwhile: somebody else made a version.
    """
    drafted = draft(bucket, plain, parent)
    version = store.write(s3, bucket, drafted.draft)
    return Adoption(version, drafted.copies, drafted.contradictions)


def draft(bucket: str, plain: Plain, parent: Version | None) -> Drafted:
    """What `adopt` would make of what lies there.

    Raises:
        Unusable: it cannot be trained on.
    """
    packed = _packed(plain)
    cleaned = rules.once(() if packed else _pictures(bucket, plain))
    made = store.Draft(
        dataset=plain.dataset,
        origin=Origin.ADOPTED,
        root=f"{plain.dataset}/",
        pictures=cleaned.pictures,
        parent=parent,
        plain=plain.digest,
        packed=packed,
    )
    return Drafted(made, len(cleaned.copies), len(cleaned.contradictions))


def _pictures(bucket: str, plain: Plain) -> list[Picture]:
    where = f"s3://{bucket}/{plain.dataset}/"
    _must_be_files(where, plain)
    pictures = []
    for each in plain.objects:
        split, _, rest = each.key.partition("/")
        label, _, name = rest.partition("/")
        if split in SPLITS and name and rules.is_picture(rest):
            pictures.append(
                Picture(
                    label=rules.same_text(label),
                    split=split,
                    name=rules.same_text(name),
                    content=ETAG + each.etag,
                    size=each.size,
                    key=each.key,
                )
            )
    if not pictures:
        raise Unusable(
            f"{where} holds no picture at {{{','.join(SPLITS)}}}/<class>/<picture> (classifier upload makes "
            "the splits)"
        )
    return rules.named_once(pictures)


def _must_be_files(where: str, plain: Plain) -> None:
    """A job gets its pictures as files, so their keys have to be paths."""
    keys = {each.key for each in plain.objects}
    wrong = [key for key in sorted(keys) if any(part in ("", ".", "..") for part in key.split("/"))]
    if wrong:
        raise Unusable(
            f"{where} has keys that cannot be files, with an empty part or dots for a name: "
            f"{listed(wrong)}. Delete or rename them"
        )
    both = sorted(key for key in keys if keys & _parents(key))
    if both:
        raise Unusable(
            f"{where} has objects below another object, which is a file and cannot be a folder too: "
            f"{listed(both)}. Delete or rename one of each"
        )


def _parents(key: str) -> set[str]:
    parts = key.split("/")
    return {"/".join(parts[:length]) for length in range(1, len(parts))}


def _packed(plain: Plain) -> dict[str, str]:
    """The tar file of each split, when all three are packed.

    Raises:
        Unusable: some are packed and some are not, or one has two tar files.
    """
    tars: dict[str, list[str]] = {split: [] for split in SPLITS}
    for each in plain.objects:
        split, _, name = each.key.partition("/")
        if split in SPLITS and name.endswith(".tar") and "/" not in name:
            tars[split].append(name)
    return _one_each(plain.dataset, tars)


def _one_each(dataset: str, tars: Mapping[str, Iterable[str]]) -> dict[str, str]:
    found = {split: list(names) for split, names in tars.items() if names}
    if not found:
        return {}
    several = [split for split, names in found.items() if len(names) > 1]
    if several or len(found) < len(SPLITS):
        what = "has several tar files in" if several else "is packed in part only:"
        splits = several or [split for split in SPLITS if split not in found]
        raise Unusable(
            f"the data set {dataset} {what} {', '.join(splits)}. Pack each split as one tar file: "
            f"{', '.join(f'{split}/{split}.tar' for split in SPLITS)}"
        )
    return {split: names[0] for split, names in found.items()}
