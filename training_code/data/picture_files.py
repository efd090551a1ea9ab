"""The picture files of a split: in class folders, packed with these into one tar file, or named by a list.

A packed split is one uncompressed tar, `train/anything.tar`, holding `<class>/<picture>` (`tar -cf train.tar
-C train .`). S3 hands out one large object many times faster than thousands of small ones, and in FastFile
mode each small file is a request of its own. Pictures are read out of it by position, by several threads.

The files of a data set's version lie anywhere, and its lists say which are whose (`listed_files`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from contract import archives
from contract.datasets import rules
from training_code.errors import UnusableDataset

_Place = tuple[int, int]
"""Where a member of a tar begins, and how long it is, in bytes."""


@dataclass(frozen=True)
class Files:
    """The files of one split: by class, in order, as paths below the class."""

    folder: Path
    by_class: Mapping[str, list[str]]
    packed: Mapping[str, _Place] | None = None
    """Where each `<class>/<picture>` lies in the tar `folder`; None when they are files in a folder."""
    listed: Mapping[str, str] | None = None
    """The path below `folder` of each `<class>/<picture>` of a list; None where names are paths.

    A listed picture's name is no part of what it is: its split is in the order of contents.
    """

    def as_stored(self, names: Sequence[str]) -> Sequence[int]:
        """The positions in `names` as the files lie in storage: FastFile mode is best read front to back."""
        places: Mapping[str, _Place] | Mapping[str, str] | None = self.packed or self.listed
        if places is None:
            return range(len(names))
        return sorted(range(len(names)), key=lambda position: places[names[position]])

    def read(self, name: str) -> bytes:
        """The content of `<class>/<picture>`."""
        if self.packed is None:
            return (self.folder / (self.listed[name] if self.listed else name)).read_bytes()
        start, size = self.packed[name]
        file = os.open(self.folder, os.O_RDONLY)
        try:
            return os.pread(file, size, start)
        finally:
            os.close(file)


def find(folder: Path) -> Files:
    """The picture files below a split's folder. Hidden files are left alone.

    Raises:
        UnusableDataset: a tar that cannot be read, or several.
    """
    tars = sorted(path for path in folder.iterdir() if path.suffix == ".tar" and path.is_file())
    if not tars:
        return Files(folder, _in_folders(folder))
    if len(tars) > 1:
        names = ", ".join(path.name for path in tars)
        raise UnusableDataset(
            f"the split {folder.name!r} has {len(tars)} tar files ({names}); pack it as one"
        )
    return _in_tar(tars[0])


def _in_folders(folder: Path) -> dict[str, list[str]]:
    return {
        label.name: sorted(
            path.relative_to(label).as_posix()
            for path in label.rglob("*")
            if rules.is_picture(path.relative_to(folder).as_posix()) and path.is_file()
        )
        for label in sorted(folder.iterdir())
        if label.is_dir() and not rules.is_hidden(label.name)
    }


def _in_tar(path: Path) -> Files:
    by_class: dict[str, list[str]] = {}
    packed: dict[str, _Place] = {}
    try:
        with path.open("rb") as tar:
            for member, _ in archives.files(tar):
                parts = PurePosixPath(member.name).parts
                inner = [part for part in parts if part != "."]
                if len(inner) > 1 and rules.is_picture("/".join(inner)):
                    label, rest = inner[0], "/".join(inner[1:])
                    by_class.setdefault(label, []).append(rest)
                    packed[f"{label}/{rest}"] = (member.offset_data, member.size)
    except archives.DAMAGED as error:
        raise UnusableDataset(
            f"{path.parent.name}/{path.name} cannot be read as an uncompressed tar ({error}); make it with "
            f"`tar -cf {path.name} -C <folder of the split> .`"
        ) from None
    return Files(path, {label: sorted(set(names)) for label, names in sorted(by_class.items())}, packed)
