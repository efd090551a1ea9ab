"""Container images without a container engine: files, environment and command, in a folder per image.

`ImageStore.build` does what `docker build` would for the instructions that place files and describe the
process (`builder`). `resolve` gives back an image a process can be started from: absolute paths point below
the image's folder, and `python` is this interpreter.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sys
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from local_aws.core.errors import ValidationException
from local_aws.core.store import Store
from local_aws.images import dockerfile
from local_aws.images.build_context import listing
from local_aws.images.builder import Base, Builder, Stage
from local_aws.images.dockerfile import DockerfileError

_KIND = "image"
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-manifest-formats.html
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_BUILD, _REMOVED = "build-", "removed-"
_PYTHONS = {"python", "python3", f"python3.{sys.version_info.minor}"}


@dataclass(frozen=True)
class Image:
    """An image ready to be started on this machine."""

    uri: str
    digest: str
    root: Path
    """The folder that stands for ``/``; all processes of the image share it and may not write into it."""
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    env: Mapping[str, str]
    workdir: Path
    not_executed: tuple[str, ...]
    """The instructions that were noted only, e.g. ``RUN pip install torch``."""
    media_type: str = DOCKER_MANIFEST
    """Of its manifest in the registry: not every service pulls every one."""


class ImageStore:
    """The images built here, by URI (``repository:tag``); they survive a restart."""

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._folder = folder
        # A folder is registered and removed as one step with its record.
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True)

    def sweep(self) -> None:
        """Delete what builds and removals of a killed server left; nobody else may be at work."""
        for leftover in (*self._folder.glob(f"{_BUILD}*"), *self._folder.glob(f"{_REMOVED}*")):
            shutil.rmtree(leftover, ignore_errors=True)

    def build(
        self,
        source: Path,
        dockerfile_name: str = "Dockerfile",
        uri: str = "",
        build_args: Mapping[str, str] | None = None,
        target: str = "",
        media_type: str = DOCKER_MANIFEST,
    ) -> Image:
        """Build the folder `source` as image `uri` (replacing an older one of that name).

        Raises DockerfileError naming the file, the line and the remedy; nothing is registered then.
        """
        path = source / dockerfile_name
        if not path.is_file():
            raise DockerfileError(f"no {dockerfile_name} in the build folder; it holds {listing(source)}")
        work = self._folder / f"{_BUILD}{uuid.uuid4().hex}"
        try:
            stage = Builder(self._built, source, work, dict(build_args or {})).run(
                dockerfile.parse(path.read_text()), target
            )
            return self._register(uri, stage, media_type)
        except DockerfileError as error:
            raise DockerfileError(f"{dockerfile_name}: {error}") from error
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def resolve(self, uri: str) -> Image:
        """The image of this URI, ready to start. Raises ValidationException if it was never built here."""
        record = self._store.get(_KIND, uri)
        if record is None:
            known = ", ".join(sorted(document["uri"] for document in self._store.list(_KIND))) or "none"
            raise ValidationException(
                f"the image {uri} was not built here, and the local AWS pulls none from registries; deploy "
                f"the stack that builds it first. Images built here: {known}"
            )
        root = self._folder / record["digest"] / "root"
        return Image(
            uri=uri,
            digest=record["digest"],
            root=root,
            entrypoint=_here(record["entrypoint"], root),
            cmd=tuple(below(word, root) for word in record["cmd"]),
            env={name: _path_list(name, value, root) for name, value in record["env"].items()},
            workdir=root / record["workdir"].lstrip("/"),
            not_executed=tuple(record["not_executed"]),
            media_type=record.get("media_type", DOCKER_MANIFEST),
        )

    def remove_repository(self, repository_uri: str) -> None:
        """Forget all images of a repository that is deleted, and the folders that no image needs now."""
        with self._lock:
            for record in self._store.list(_KIND):
                if record["uri"].rpartition(":")[0] == repository_uri or record["uri"] == repository_uri:
                    self._store.delete(_KIND, record["uri"])
                    if not any(other["digest"] == record["digest"] for other in self._store.list(_KIND)):
                        self._remove(self._folder / record["digest"])

    def _built(self, uri: str) -> Base | None:
        """What a build finds of an image that was built here; any other base is this machine."""
        record = self._store.get(_KIND, uri)
        if record is None:
            return None
        described = {name: record[name] for name in ("entrypoint", "cmd", "env", "workdir")}
        return Base(self._folder / record["digest"] / "root", **described)

    def _remove(self, home: Path) -> None:
        """Half a folder must never stand under its digest, so it loses that name before it is deleted."""
        doomed = self._folder / f"{_REMOVED}{uuid.uuid4().hex}"
        with contextlib.suppress(FileNotFoundError):
            home.replace(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def _register(self, uri: str, stage: Stage, media_type: str) -> Image:
        description = {
            "entrypoint": stage.entrypoint,
            "cmd": stage.cmd,
            "env": stage.env,
            "workdir": stage.workdir,
            "not_executed": stage.not_executed,
        }
        digest = _digest(stage.root, repr(description))
        whole = stage.root.with_name("image")
        whole.mkdir()
        stage.root.replace(whole / "root")
        with self._lock:
            home = self._folder / digest
            if not (home / "root").exists():
                whole.replace(home)  # all of it at once; an empty folder there is what a killed build left
            self._store.put(
                _KIND, uri, {"uri": uri, "digest": digest, "media_type": media_type, **description}
            )
        return self.resolve(uri)


def _here(entrypoint: list[str], root: Path) -> tuple[str, ...]:
    """An entrypoint here: this interpreter for any python, the image's files for absolute paths."""
    if not entrypoint:
        return ()
    program, *arguments = entrypoint
    inside = below(program, root)
    is_python = inside == program and PurePosixPath(program).name in _PYTHONS
    return (sys.executable if is_python else inside, *(below(word, root) for word in arguments))


def below(word: str, root: Path) -> str:
    """A word of a command: a path of the image, where it lies on this machine."""
    place = root / word.lstrip("/")
    return str(place) if word.startswith("/") and place.exists() else word


def _path_list(name: str, value: str, root: Path) -> str:
    parts = [below(part, root) for part in value.split(":")]
    if name == "PATH":
        parts.insert(0, str(Path(sys.executable).parent))
    return ":".join(parts)


def _digest(root: Path, description: str) -> str:
    found = hashlib.sha256(description.encode())
    for path in sorted(root.rglob("*")):
        found.update(path.relative_to(root).as_posix().encode() + b"\0")
        if path.is_symlink():
            found.update(str(path.readlink()).encode())
        elif path.is_file():
            found.update(hashlib.sha256(path.read_bytes()).digest() + str(path.stat().st_mode).encode())
    return found.hexdigest()
