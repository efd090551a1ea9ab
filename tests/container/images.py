"""Images for the tests: a minimal Debian as a base, and the targets of inference_code/Dockerfile on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
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
    """The name of a target of the Dockerfile, built on the base image `on`; what did not change is kept."""
    index = os.environ.get("PIP_INDEX_URL", "")
    arguments = [f"BASE_IMAGE={on}", *([f"PIP_INDEX_URL={index}"] if index else [])]
    options = [part for argument in arguments for part in ("--build-arg", argument)]
    if Path(CERTIFICATES).exists():
        options += ["--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
    # A chroot is enough to run pip in, and works where no other isolation does.
    how = ["--layers", "--isolation", "chroot", *_option(architecture)]
    name = f"localhost/classifier-test-{target}:{architecture or 'latest'}"
    command = ["buildah", "bud", *how, "--target", target, *options, "--tag", name]
    subprocess.run([*command, str(ROOT / "inference_code")], check=True, stdout=sys.stderr)
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
