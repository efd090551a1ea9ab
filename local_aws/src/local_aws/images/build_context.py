"""The files of a build folder: what a pattern names, what .dockerignore leaves out, how COPY places them."""

from __future__ import annotations

import fnmatch
import os
import shutil
from pathlib import Path

from local_aws.images.dockerfile import DockerfileError


def sources(origin: Path, pattern: str) -> list[Path]:
    """The files and folders below `origin` that a source of COPY names. Raises DockerfileError if none."""
    if "://" in pattern:
        raise DockerfileError(f"{pattern}: nothing is downloaded here; put the file into the build folder")
    relative = os.path.normpath(pattern.lstrip("/") or ".")
    if relative.startswith(".."):
        raise DockerfileError(f"{pattern} leaves the build folder")
    found = [origin] if relative == "." else sorted(origin.glob(relative))
    if not found:
        raise DockerfileError(f"{pattern}: no such file in the build folder, which holds {listing(origin)}")
    return found


def copy_tree(source: Path, target: Path, origin: Path, ignored: list[str]) -> None:
    """Copy the contents of a folder into `target`, as COPY does (the folder's own name is not kept)."""
    target.mkdir(parents=True, exist_ok=True)
    for item in sorted(source.rglob("*")):
        if is_ignored(item.relative_to(origin), ignored):
            continue
        place = target / item.relative_to(source)
        if item.is_dir() and not item.is_symlink():
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(item, place, follow_symlinks=False)


def read_dockerignore(source: Path) -> list[str]:
    """The patterns of a build folder's .dockerignore, in order."""
    path = source / ".dockerignore"
    if not path.is_file():
        return []
    lines = (line.strip() for line in path.read_text().splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def is_ignored(path: Path, patterns: list[str]) -> bool:
    """Whether .dockerignore leaves a file out: the last pattern that matches it or a parent decides."""
    ignored = False
    names = [path.as_posix(), *(parent.as_posix() for parent in path.parents if parent != Path())]
    for pattern in patterns:
        keep = pattern.startswith("!")
        glob = pattern.lstrip("!").strip("/")
        anywhere = glob.removeprefix("**/")
        if any(
            fnmatch.fnmatch(name, glob) or (anywhere != glob and fnmatch.fnmatch(name, anywhere))
            for name in names
        ):
            ignored = not keep
    return ignored


def listing(folder: Path) -> str:
    """A folder's first names, for messages."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return ", ".join(names[:12]) or "nothing"
