"""Images built from Dockerfiles without a container engine."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_aws.core.errors import ValidationException
from local_aws.core.store import Store
from local_aws.images import dockerfile
from local_aws.images.dockerfile import DockerfileError
from local_aws.images.store import Image, ImageStore


@pytest.fixture
def images(tmp_path: Path) -> ImageStore:
    return ImageStore(Store(tmp_path / "store.db"), tmp_path / "images")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    (folder / "package" / "inner").mkdir(parents=True)
    (folder / "main.py").write_text("import os, sys; print(os.environ['GREETING'], *sys.argv[1:])\n")
    (folder / "package" / "a.py").write_text("a")
    (folder / "package" / "inner" / "b.txt").write_text("b")
    return folder


def build(images: ImageStore, source: Path, text: str, **options: str) -> Image:
    (source / "Dockerfile").write_text(text)
    return images.build(source, uri="repository:tag", **options)  # type: ignore[arg-type]


def files(image: Image) -> dict[str, str]:
    found = (path for path in image.root.rglob("*") if path.is_file())
    return {path.relative_to(image.root).as_posix(): path.read_text() for path in found}


def test_the_command_of_an_image_runs_with_its_files_and_environment(
    images: ImageStore, source: Path
) -> None:
    image = build(
        images,
        source,
        """
        # syntax=docker/dockerfile:1
        ARG BASE=python:3.12-slim
        FROM ${BASE}
        ENV GREETING="good day" \\
            # a comment inside
            PYTHONPATH=/opt/program
        RUN pip install everything && \\
            rm -rf /
        USER nobody
        EXPOSE 8080
        COPY main.py /opt/program/
        ENTRYPOINT ["python", "/opt/program/main.py"]
        CMD ["serve"]
        """,
    )
    assert image.entrypoint == (sys.executable, str(image.root / "opt/program/main.py"))
    assert image.env["PYTHONPATH"] == str(image.root / "opt/program")
    assert [line.split()[0] for line in image.not_executed] == ["RUN", "USER", "EXPOSE"]
    done = subprocess.run(
        [*image.entrypoint, *image.cmd], env=dict(image.env), capture_output=True, text=True
    )
    assert done.stdout == "good day serve\n"


def test_copy_places_files_folders_and_patterns_as_docker_does(images: ImageStore, source: Path) -> None:
    image = build(
        images,
        source,
        """
        FROM scratch
        WORKDIR /work
        COPY main.py renamed.py
        COPY main.py folder/
        COPY package ./package
        COPY ["package/*.py", "/flat/"]
        COPY --chown=1:1 package/inner /inner
        WORKDIR deeper
        COPY . .
        """,
    )
    assert set(files(image)) == {
        "work/renamed.py",
        "work/folder/main.py",
        "work/package/a.py",
        "work/package/inner/b.txt",
        "flat/a.py",
        "inner/b.txt",
        "work/deeper/Dockerfile",
        "work/deeper/main.py",
        "work/deeper/package/a.py",
        "work/deeper/package/inner/b.txt",
    }
    assert image.workdir == image.root / "work/deeper"


def test_a_dockerignore_leaves_files_out(images: ImageStore, source: Path) -> None:
    (source / ".dockerignore").write_text("# all but\n*\n!package\npackage/inner\n")
    image = build(images, source, "FROM scratch\nCOPY . /\n")
    assert set(files(image)) == {"package/a.py"}


def test_arguments_reach_the_stage_that_declares_them(images: ImageStore, source: Path) -> None:
    (source / "Dockerfile").write_text(
        "ARG KEEP=default\nFROM scratch\nARG KEEP\nARG OWN=own\nARG NEVER\n"
        "ENV A=$KEEP B=${OWN} C=${NEVER:-none} D=${OWN:+set} E=\\$OWN F=$UNDECLARED\n"
    )
    image = images.build(source, uri="r:1", build_args={"KEEP": "given", "UNDECLARED": "x"})
    assert dict(image.env) == {"A": "given", "B": "own", "C": "none", "D": "set", "E": "$OWN", "F": ""}


def test_stages_are_copied_from_and_a_target_ends_the_build(images: ImageStore, source: Path) -> None:
    text = """
        FROM scratch AS built
        COPY main.py /made/by-stage.py
        ENV STAGE=built
        FROM built AS cpu
        ENTRYPOINT ["python", "/made/by-stage.py"]
        FROM scratch AS gpu
        COPY --from=built /made /elsewhere
        COPY --from=0 /made/by-stage.py /zero.py
        """
    cpu = build(images, source, text, target="cpu")
    assert (set(files(cpu)), cpu.env["STAGE"]) == ({"made/by-stage.py"}, "built")
    gpu = build(images, source, text, target="gpu")
    assert set(files(gpu)) == {"elsewhere/by-stage.py", "zero.py"}
    assert gpu.entrypoint == ()
    with pytest.raises(DockerfileError, match="no stage is called tpu; there are built, cpu, gpu"):
        build(images, source, text, target="tpu")


def test_add_unpacks_archives_and_copy_does_not(images: ImageStore, source: Path) -> None:
    with tarfile.open(source / "code.tar.gz", "w:gz") as archive:
        archive.add(source / "main.py", "inside.py")
    image = build(images, source, "FROM scratch\nADD code.tar.gz /added\nCOPY code.tar.gz /copied/\n")
    assert {path.relative_to(image.root).as_posix() for path in image.root.rglob("*") if path.is_file()} == {
        "added/inside.py",
        "copied/code.tar.gz",
    }


def test_the_shell_form_and_here_documents_are_understood(images: ImageStore, source: Path) -> None:
    image = build(
        images,
        source,
        "FROM scratch\nRUN <<EOF\nCOPY nothing /here\nEOF\nENTRYPOINT exec python main.py\n",
    )
    assert image.entrypoint == ("/bin/sh", "-c", "exec python main.py")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("COPY a b\n", "Dockerfile: line 1: COPY before the first FROM"),
        ("", "Dockerfile: it has no FROM"),
        ("FROM scratch\nCPOY a b\n", "Dockerfile: line 2: CPOY is no instruction of a Dockerfile"),
        (
            "FROM scratch\nCOPY nothing /x\n",
            "line 2: COPY nothing: no such file in the build folder, which holds",
        ),
        ("FROM scratch\nCOPY ../secret /x\n", "COPY ../secret leaves the build folder"),
        ("FROM scratch\nCOPY main.py ../../../x\n", "leaves the image"),
        ("FROM scratch\nADD https://example.com/x /x\n", "nothing is downloaded here"),
        ("FROM scratch\nCOPY --from=nobody /a /b\n", "--from=nobody: no such stage"),
        ("FROM scratch\nCOPY main.py\n", "needs a source and a destination"),
        ("FROM scratch\n\n%&/\n", "line 3: '%&/' is no Dockerfile instruction"),
    ],
)
def test_a_dockerfile_that_cannot_be_built_says_where_and_why(
    images: ImageStore, source: Path, text: str, message: str
) -> None:
    with pytest.raises(DockerfileError) as refusal:
        build(images, source, text)
    assert message in str(refusal.value)
    with pytest.raises(ValidationException):
        images.resolve("repository:tag")


def test_a_folder_without_dockerfile_says_what_it_holds(images: ImageStore, source: Path) -> None:
    with pytest.raises(DockerfileError, match=r"no Other in the build folder; it holds main.py, package"):
        images.build(source, "Other", "r:1")


def test_an_image_nobody_built_is_named_with_those_there_are(images: ImageStore, source: Path) -> None:
    build(images, source, "FROM scratch\n")
    with pytest.raises(
        ValidationException, match=r"r:2 was not built here.*Images built here: repository:tag"
    ):
        images.resolve("r:2")


def test_images_survive_a_restart_and_go_with_their_repository(tmp_path: Path, source: Path) -> None:
    (source / "Dockerfile").write_text("FROM scratch\nCOPY main.py /\n")
    path = tmp_path / "store.db"
    first = ImageStore(Store(path), tmp_path / "images").build(source, uri="one:1")
    again = ImageStore(Store(path), tmp_path / "images")
    assert again.resolve("one:1") == first
    again.build(source, uri="two:1")
    again.remove_repository("one")
    with pytest.raises(ValidationException):
        again.resolve("one:1")
    assert files(again.resolve("two:1")), "the other repository's image has the same content and stays"
    again.remove_repository("two")
    assert list((tmp_path / "images").iterdir()) == []


@settings(deadline=None)
@given(text=st.text(alphabet="FROMCPYENV a=\"'\\\n<>$#{}-/:[],", max_size=80))
def test_whatever_a_dockerfile_holds_it_is_read_or_refused(text: str) -> None:
    try:
        for instruction in dockerfile.parse(text):
            dockerfile.expand(instruction.rest, {})
            dockerfile.words(instruction.rest)
            dockerfile.assignments(instruction.rest)
    except DockerfileError:
        pass


def test_an_open_quote_is_refused_with_its_line(images: ImageStore, source: Path) -> None:
    with pytest.raises(DockerfileError, match="line 2: ENV"):
        build(images, source, 'FROM scratch\nENV A="open\n')


def test_a_build_cut_short_does_not_break_the_image_for_ever(
    images: ImageStore, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever call the server dies in, the next build of the same files is whole."""
    text = "FROM scratch\nCOPY package /package\n"
    moves = ("rename", "replace", "mkdir")
    originals = {name: getattr(Path, name) for name in moves}
    for at in range(1, 12):
        calls = 0

        def dying(name: str, at: int = at) -> Callable[..., Any]:
            def call(self: Path, *arguments: Any, **options: Any) -> Any:
                nonlocal calls
                calls += 1
                if calls == at:
                    raise KeyboardInterrupt
                return originals[name](self, *arguments, **options)

            return call

        for name in moves:
            monkeypatch.setattr(Path, name, dying(name))
        with contextlib.suppress(KeyboardInterrupt):
            build(images, source, text)
        for name in moves:
            monkeypatch.setattr(Path, name, originals[name])
        assert files(build(images, source, text)) == {"package/a.py": "a", "package/inner/b.txt": "b"}
        images.remove_repository("repository")


def test_an_image_that_an_older_server_left_half_is_built_whole(images: ImageStore, source: Path) -> None:
    text = "FROM scratch\nCOPY main.py /\n"
    image = build(images, source, text)
    shutil.rmtree(image.root)  # the folder of its digest stands, and is empty
    assert "main.py" in files(build(images, source, text))


def test_a_removal_cut_short_leaves_no_half_image_under_its_digest(
    images: ImageStore, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "FROM scratch\nCOPY package /package\n"
    image = build(images, source, text)

    def dies_halfway(folder: Path, **_: object) -> None:
        next(path for path in folder.rglob("b.txt")).unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(shutil, "rmtree", dies_halfway)
        with pytest.raises(KeyboardInterrupt):
            images.remove_repository("repository")
    assert not image.root.exists()
    assert files(build(images, source, text)) == {"package/a.py": "a", "package/inner/b.txt": "b"}
    images.sweep()
    assert [path.name for path in image.root.parent.parent.iterdir()] == [image.digest]
