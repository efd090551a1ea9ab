"""A Dockerfile carried out without a container engine.

COPY, ADD, ENV, ARG, WORKDIR, ENTRYPOINT, CMD and several stages do what they say. RUN, USER, EXPOSE and the
like are noted and not executed: the base image and its packages are this machine's own Python.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from local_aws.core.archives import UnsafeArchiveError, is_tar, unpack_tar
from local_aws.images import dockerfile
from local_aws.images.build_context import copy_tree, is_ignored, read_dockerignore, sources
from local_aws.images.dockerfile import DockerfileError, Instruction

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


@dataclass
class Base:
    """What a stage begins with: a folder, and how a process in it is started."""

    root: Path
    entrypoint: list[str] = field(default_factory=list)
    cmd: list[str] = field(default_factory=list)
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = "/"


@dataclass
class Stage(Base):
    """An image while it is built: its folder and what the instructions said so far."""

    name: str = ""
    args: dict[str, str] = field(default_factory=dict)
    not_executed: list[str] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        return {"PATH": _DEFAULT_PATH, **self.args, **self.env}


@dataclass
class Builder:
    """One run over the instructions of a Dockerfile."""

    built: Callable[[str], Base | None]
    """An image that was built here, by its URI."""
    source: Path
    """The build folder."""
    work: Path
    """An empty folder for the stages."""
    build_args: Mapping[str, str]
    _global_args: dict[str, str] = field(default_factory=dict)
    _stages: list[Stage] = field(default_factory=list)

    def run(self, instructions: Iterable[Instruction], target: str) -> Stage:
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

    def _from(self, instruction: Instruction) -> Stage:
        base, *rest = dockerfile.expand(instruction.rest, self._global_args).split() or [""]
        name = rest[1] if len(rest) == 2 and rest[0].upper() == "AS" else ""
        stage = Stage(self.work / str(len(self._stages)), name=name)
        found = self._stage_named(base) or self.built(base)
        if found is not None:
            shutil.copytree(found.root, stage.root, symlinks=True)
            stage.entrypoint, stage.cmd = list(found.entrypoint), list(found.cmd)
            stage.env, stage.workdir = dict(found.env), found.workdir
            return stage
        stage.root.mkdir(parents=True)
        return stage

    def _apply(self, instruction: Instruction, stage: Stage) -> None:
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
        value = self.build_args.get(name, inherited.get(name) if default is None else default)
        if value is not None:
            into[name] = value

    def _copy(self, instruction: Instruction, words: list[str], stage: Stage) -> None:
        if len(words) < 2:
            raise DockerfileError("needs a source and a destination")
        *patterns, destination = words
        origin, ignored = self.source, read_dockerignore(self.source)
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
        fresh = self.work / "added"
        try:
            unpack_tar(archive, fresh)
        except UnsafeArchiveError as error:
            raise DockerfileError(f"{archive.name} cannot be unpacked: {error}") from None
        copy_tree(fresh, target, fresh, [])
        shutil.rmtree(fresh)

    def _other_root(self, name: str) -> Path:
        found = self._stage_named(name) or self.built(name)
        if found is not None:
            return found.root
        raise DockerfileError(f"--from={name}: no such stage, and no image of that name was built here")

    def _stage_named(self, name: str) -> Stage | None:
        if name.isdigit() and int(name) < len(self._stages):
            return self._stages[int(name)]
        return next((stage for stage in self._stages if stage.name and stage.name == name), None)
