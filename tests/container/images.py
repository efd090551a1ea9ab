"""Images for the tests: a minimal Debian as a base, and the targets of both Dockerfiles on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.pins import ROOT, SERVING, TRAINING

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
NATIVE = ""
"""The architecture of this machine, wherever one is asked for; the other name is `arm64`."""


def base(folder: Path, architecture: str = NATIVE) -> str:
    """An image with Python and pip: CONTAINER_BASE_IMAGE, or a minimal Debian, kept for the next run.

    Args:
        folder: an empty one to unpack 300 MB in.
        architecture: of its programs; they must run on this machine.
    """
    if named := os.environ.get("CONTAINER_BASE_IMAGE"):
        return named
    name = "localhost/classifier-test-base:" + "-".join(filter(None, ("bookworm", architecture)))
    if subprocess.run(["podman", "image", "exists", name]).returncode == 0:
        return name
    root = folder / "root"
    options = ["--variant=minbase", "--include=python3,python3-pip,ca-certificates", *_option(architecture)]
    subprocess.run(["debootstrap", *options, "bookworm", str(root)], check=True)
    for cache in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(root / cache)
    # As in the official Python images: the command is `python`, and pip may install into the system.
    (root / "usr/bin/python").symlink_to("python3")
    for mark in root.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        mark.unlink()
    archive = root.with_suffix(".tar")
    subprocess.run(["tar", "-C", str(root), "-cf", str(archive), "."], check=True)
    subprocess.run(["podman", "import", *_option(architecture), str(archive), name], check=True)
    shutil.rmtree(root)
    archive.unlink()
    return name


def built(target: str, on: str, architecture: str = NATIVE) -> str:
    """The name of a target of inference_code/Dockerfile, built on the base image `on`."""
    return _built(
        ROOT,
        SERVING,
        target,
        f"localhost/classifier-test-{target}:{architecture or 'latest'}",
        on,
        architecture,
    )


def built_for_training(target: str, on: str, root: Path = ROOT, options: Sequence[str] = ()) -> str:
    """The name of a target of training_code/Dockerfile, built on the base image `on`.

    Args:
        root: the folder that is sent to the build.
        options: more of buildah's.
    """
    name = f"localhost/classifier-test-training-{target}"
    return _built(root, root / TRAINING.name, target, name, on, options=options)


def _built(
    root: Path,
    folder: Path,
    target: str,
    name: str,
    on: str,
    architecture: str = NATIVE,
    options: Sequence[str] = (),
) -> str:
    """Build an image; what did not change is kept from the last time."""
    index = os.environ.get("PIP_INDEX_URL", "")
    arguments = [f"BASE_IMAGE={on}", *([f"PIP_INDEX_URL={index}"] if index else [])]
    given = [part for argument in arguments for part in ("--build-arg", argument)]
    if Path(CERTIFICATES).exists():
        given += ["--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
    # A chroot is enough to run pip in, and works where no other isolation does.
    how = ["--layers", "--isolation", "chroot", *_option(architecture)]
    dockerfile = str(folder / "Dockerfile")
    # Docker takes this one by itself.
    what = ["--file", dockerfile, "--ignorefile", f"{dockerfile}.dockerignore", "--target", target]
    command = ["buildah", "bud", *how, *what, *given, *options, "--tag", name, str(root)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    return name


def megabytes(name: str) -> float:
    """What an image takes unpacked."""
    return int(told(name, "{{.Size}}")) / 1e6


def told(name: str, what: str) -> str:
    """What podman tells of an image; `what` is a Go template."""
    run = ["podman", "image", "inspect", "--format", what, name]
    return subprocess.run(run, check=True, capture_output=True, text=True).stdout


def _option(architecture: str) -> list[str]:
    """debootstrap, podman and buildah spell it alike."""
    return ["--arch", architecture] if architecture else []
