"""Container images without a container engine: a Dockerfile's files, environment and command in a folder.

`ImageStore.build` does what `docker build` would for the instructions that place files and describe the
process (COPY, ADD, ENV, ARG, WORKDIR, ENTRYPOINT, CMD, several stages); RUN, USER, EXPOSE and the like are
noted and not executed, because the base image and its packages are this machine's own Python. `resolve`
gives back an image a process can be started from: absolute paths point below the image's folder, and
`python` is this interpreter.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
import threading
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from local_aws import dockerfile
from local_aws.build_context import copy_tree, is_ignored, listing, read_dockerignore, sources
from local_aws.core.archives import UnsafeArchiveError, is_tar, unpack_tar
from local_aws.core.errors import ValidationException
from local_aws.core.store import Store
from local_aws.dockerfile import DockerfileError, Instruction

_KIND = "image"
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-manifest-formats.html
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
_BUILD, _REMOVED = "build-", "removed-"
_PYTHONS = {"python", "python3", f"python3.{sys.version_info.minor}"}
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Instructions that change what runs inside, which here is this machine's Python.
_NOTED = {
    "RUN",
    "USER",
    "EXPOSE",
    "LABEL",
    "VOLUME",
    "STOPSIGNAL",
    "HEALTHCHECK",
    "SHELL",
    "ONBUILD",
    "MAINTAINER",
}


@dataclass(frozen=True)
class Image:
    """An image ready to be started on this machine."""

    uri: str
    digest: str
    root: Path
    """The folder that stands for ``/``; shared by all processes of the image, so nothing may be
    written into it.
    """
    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    env: Mapping[str, str]
    workdir: Path
    not_executed: tuple[str, ...]
    """The instructions that were noted only, e.g. ``RUN pip install torch``."""
    media_type: str = DOCKER_MANIFEST
    """Of its manifest in the registry: not every service pulls every one."""


@dataclass
class _Stage:
    """An image while it is built: its folder and what the instructions said so far."""

    root: Path
    name: str = ""
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    args: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"
    not_executed: list[str] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        return {"PATH": _DEFAULT_PATH, **self.args, **self.env}


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
            stage = _Builder(self, source, work, dict(build_args or {})).run(
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
            cmd=tuple(_below(word, root) for word in record["cmd"]),
            env={name: _path_list(name, value, root) for name, value in record["env"].items()},
            workdir=root / record["workdir"].lstrip("/"),
            not_executed=tuple(record["not_executed"]),
            media_type=record.get("media_type", DOCKER_MANIFEST),
        )

    def remove_repository(self, repository_uri: str) -> None:
        """Forget all images of a repository, as when it is deleted; folders no image needs any
        more go too.
        """
        with self._lock:
            for record in self._store.list(_KIND):
                if record["uri"].rpartition(":")[0] == repository_uri or record["uri"] == repository_uri:
                    self._store.delete(_KIND, record["uri"])
                    if not any(other["digest"] == record["digest"] for other in self._store.list(_KIND)):
                        self._remove(self._folder / record["digest"])

    def _remove(self, home: Path) -> None:
        """Half a folder must never stand under its digest, so it loses that name before it is deleted."""
        doomed = self._folder / f"{_REMOVED}{uuid.uuid4().hex}"
        with contextlib.suppress(FileNotFoundError):
            home.replace(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def _register(self, uri: str, stage: _Stage, media_type: str) -> Image:
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


class _Builder:
    """One run over the instructions of a Dockerfile."""

    def __init__(self, images: ImageStore, source: Path, work: Path, build_args: dict[str, str]) -> None:
        self._images = images
        self._source = source
        self._work = work
        self._build_args = build_args
        self._global_args: dict[str, str] = {}
        self._stages: list[_Stage] = []
        self._ignored = read_dockerignore(source)

    def run(self, instructions: Iterable[Instruction], target: str) -> _Stage:
        for instruction in instructions:
            if instruction.keyword == "FROM":
                if self._stages and target in (self._stages[-1].name, str(len(self._stages) - 1)):
                    break
                self._stages.append(self._from(instruction))
            elif not self._stages:
                if instruction.keyword != "ARG":
                    raise DockerfileError(
                        f"line {instruction.line}: {instruction.keyword} before the first FROM"
                    )
                self._arg(instruction, self._global_args, {})
            else:
                try:
                    self._apply(instruction, self._stages[-1])
                except DockerfileError as error:
                    raise DockerfileError(
                        f"line {instruction.line}: {instruction.keyword} {error}"
                    ) from error
        if not self._stages:
            raise DockerfileError("it has no FROM")
        if target and self._stage_named(target) is not self._stages[-1]:
            names = ", ".join(stage.name for stage in self._stages if stage.name) or "none with a name"
            raise DockerfileError(f"no stage is called {target}; there are {names}")
        return self._stages[-1]

    def _from(self, instruction: Instruction) -> _Stage:
        base, *rest = dockerfile.expand(instruction.rest, self._global_args).split() or [""]
        name = rest[1] if len(rest) == 2 and rest[0].upper() == "AS" else ""
        stage = _Stage(self._work / str(len(self._stages)), name)
        earlier = self._stage_named(base)
        if earlier is not None:
            shutil.copytree(earlier.root, stage.root, symlinks=True)
            stage.entrypoint, stage.cmd = list(earlier.entrypoint), list(earlier.cmd)
            stage.env, stage.workdir = dict(earlier.env), earlier.workdir
            return stage
        record = self._images._store.get(_KIND, base)
        if record is not None:  # an image built here; any other base is this machine
            shutil.copytree(self._images._folder / record["digest"] / "root", stage.root, symlinks=True)
            stage.entrypoint, stage.cmd = record["entrypoint"], record["cmd"]
            stage.env, stage.workdir = record["env"], record["workdir"]
            return stage
        stage.root.mkdir(parents=True)
        return stage

    def _apply(self, instruction: Instruction, stage: _Stage) -> None:
        rest = dockerfile.expand(instruction.rest, stage.variables)
        keyword = instruction.keyword
        if keyword in ("COPY", "ADD"):
            self._copy(instruction, dockerfile.words(rest), stage)
        elif keyword == "ENV":
            stage.env.update(dockerfile.assignments(rest))
        elif keyword == "ARG":
            self._arg(instruction, stage.args, self._global_args)
        elif keyword == "WORKDIR":
            stage.workdir = str(PurePosixPath(stage.workdir) / rest.strip("\"'"))
            (stage.root / stage.workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)
        elif keyword == "ENTRYPOINT":
            # The exec form is not expanded by docker, and an own entrypoint drops the base image's CMD.
            stage.entrypoint, stage.cmd = list(dockerfile.command(instruction.rest)), []
        elif keyword == "CMD":
            stage.cmd = list(dockerfile.command(instruction.rest))
        elif keyword in _NOTED:
            stage.not_executed.append(f"{keyword} {rest}")
        else:
            raise DockerfileError("is no instruction of a Dockerfile")

    def _arg(self, instruction: Instruction, into: dict[str, str], inherited: Mapping[str, str]) -> None:
        name = instruction.rest.partition("=")[0].strip()
        default = dockerfile.assignments(dockerfile.expand(instruction.rest, {**inherited, **into})).get(name)
        value = self._build_args.get(name, inherited.get(name) if default is None else default)
        if value is not None:
            into[name] = value

    def _copy(self, instruction: Instruction, words: list[str], stage: _Stage) -> None:
        if len(words) < 2:
            raise DockerfileError("needs a source and a destination")
        *patterns, destination = words
        origin, ignored = self._source, self._ignored
        if "from" in instruction.flags:
            origin, ignored = self._other_root(instruction.flags["from"]), []
        found = [path for pattern in patterns for path in sources(origin, pattern)]
        target = stage.root / str(PurePosixPath(stage.workdir) / destination).lstrip("/")
        if not Path(os.path.normpath(target)).is_relative_to(stage.root):
            raise DockerfileError(f"{destination} leaves the image")
        into_folder = destination.endswith(("/", ".")) or len(found) > 1 or target.is_dir()
        for source in found:
            if source.is_dir():
                copy_tree(source, target, origin, ignored)
            elif instruction.keyword == "ADD" and is_tar(source):
                self._add(source, target)
            elif not is_ignored(source.relative_to(origin), ignored):
                place = target / source.name if into_folder else target
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, place)

    def _add(self, archive: Path, target: Path) -> None:
        fresh = self._work / "added"
        try:
            unpack_tar(archive, fresh)
        except UnsafeArchiveError as error:
            raise DockerfileError(f"{archive.name} cannot be unpacked: {error}") from None
        copy_tree(fresh, target, fresh, [])
        shutil.rmtree(fresh)

    def _other_root(self, name: str) -> Path:
        stage = self._stage_named(name)
        if stage is not None:
            return stage.root
        record = self._images._store.get(_KIND, name)
        if record is not None:
            return self._images._folder / str(record["digest"]) / "root"
        raise DockerfileError(f"--from={name}: no such stage, and no image of that name was built here")

    def _stage_named(self, name: str) -> _Stage | None:
        if name.isdigit() and int(name) < len(self._stages):
            return self._stages[int(name)]
        return next((stage for stage in self._stages if stage.name and stage.name == name), None)


def _here(entrypoint: list[str], root: Path) -> tuple[str, ...]:
    """An entrypoint for this machine: its interpreter for any python, the image's files for absolute
    paths.
    """
    if not entrypoint:
        return ()
    program, *arguments = entrypoint
    inside = _below(program, root)
    is_python = inside == program and PurePosixPath(program).name in _PYTHONS
    return (sys.executable if is_python else inside, *(_below(word, root) for word in arguments))


def _below(word: str, root: Path) -> str:
    place = root / word.lstrip("/")
    return str(place) if word.startswith("/") and place.exists() else word


def _path_list(name: str, value: str, root: Path) -> str:
    parts = [_below(part, root) for part in value.split(":")]
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
