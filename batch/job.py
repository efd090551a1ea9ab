"""What a batch job was given: its pictures, its share of them, its folders and its model."""

from __future__ import annotations

import gzip
import json
import shutil
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from contract import archives
from contract.batch import (
    COUNT,
    FEATURES,
    FORMAT,
    FORMATS,
    JSON_LINES,
    KEYS,
    LIST,
    MODEL,
    NAMED_BELOW,
    SOURCE,
    Listed,
)
from contract.batch import PICTURES as CHANNEL

_MOST_UNPACKED: Final = 8 * 1024**3


class CannotBegin(Exception):
    """The job was given nothing to answer, or nothing to answer with; the message says where it looked."""


@dataclass(frozen=True)
class Job:
    """A batch job on one of its instances."""

    base: Path
    source: str
    """The S3 address, with a slash at its end, that all pictures lie below."""
    named_below: str
    form: str
    count: int
    """Of all pictures, on all instances."""
    share: int
    """Which of the instances this is, from 0."""
    shares: int
    features: bool = False
    """Whether pictures' features are kept beside their answers."""

    @property
    def parts(self) -> Path:
        """What has been answered lies here; SageMaker keeps it in S3."""
        return self.base / "checkpoints"

    @property
    def output(self) -> Path:
        return self.base / "model"

    def listed(self) -> Iterator[Listed]:
        """This instance's share of the pictures, in the order of the list.

        Raises:
            CannotBegin: the list is missing or damaged.
        """
        path = self.base / "input" / "data" / LIST / KEYS
        try:
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for line in lines:
                    each = Listed.read(line)
                    if each.share(self.shares) == self.share:
                        yield each
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise CannotBegin(f"the list of pictures {path} cannot be read: {error}") from None

    def path(self, name: str) -> Path:
        """Where the channel shows the picture of this name."""
        below = self.source.removeprefix("s3://").partition("/")[2]
        return self.base / "input" / "data" / CHANNEL / f"{self.named_below}{name}".removeprefix(below)

    def name(self, picture: Listed) -> str:
        """What a picture is called in the answers."""
        return picture.key.removeprefix(self.named_below)

    def unpack_model(self, folder: Path) -> None:
        """Put the files of the model's archive into a folder.

        Raises:
            CannotBegin: there is no archive in the channel, or it is damaged.
        """
        place = self.base / "input" / "data" / MODEL
        found = sorted(place.glob("*.tar.gz"))
        if not found:
            raise CannotBegin(
                f"there is no model: the channel {MODEL!r} holds no .tar.gz (looked in {place})"
            )
        try:
            with gzip.open(found[0]) as packed:
                for member, file in archives.files(packed, _MOST_UNPACKED):
                    name = PurePosixPath(member.name)
                    if len(name.parts) == 1 and name.name not in ("", ".."):
                        with (folder / name.name).open("wb") as out:
                            shutil.copyfileobj(file, out, 1024 * 1024)
        except archives.DAMAGED as error:
            raise CannotBegin(f"the model {found[0].name} cannot be unpacked: {error}") from None


def read(base: Path) -> Job:
    """What SageMaker put below `base`.

    Raises:
        CannotBegin: it is no batch job's.
    """
    told, resources = (_config(base, name) for name in ("hyperparameters", "resourceconfig"))
    source, form = str(told.get(SOURCE, "")), str(told.get(FORMAT, JSON_LINES))
    if not source.startswith("s3://") or form not in FORMATS:
        raise CannotBegin(f"the hyperparameters {SOURCE}={source!r}, {FORMAT}={form!r} are no batch job's")
    hosts = sorted(resources.get("hosts", [])) or [""]
    return Job(
        base=base,
        source=source,
        named_below=str(told.get(NAMED_BELOW, "")),
        form=form,
        count=int(told.get(COUNT, 0)),
        share=hosts.index(resources.get("current_host", hosts[0])),
        shares=len(hosts),
        features=told.get(FEATURES) == "true",
    )


def _config(base: Path, name: str) -> dict[str, Any]:
    path = base / "input" / "config" / f"{name}.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}
