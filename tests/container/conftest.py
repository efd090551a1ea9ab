"""The serving image, built from its Dockerfile and run as a real container, without a Docker engine.

Needs root, podman, runc and buildah (`apt-get install podman runc buildah debootstrap`), and either a base
image named by CONTAINER_BASE_IMAGE or debootstrap to make one. Where something is missing the tests are
skipped and say what. Wheels come from the index that pip on this machine is set to.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.container import Container

ROOT = Path(__file__).resolve().parents[2]
BASE = "localhost/classifier-test-base:bookworm"
IMAGE = "localhost/classifier-test-cpu:latest"
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def _missing() -> str:
    """Why no container can be built and run here; empty if it can."""
    if os.geteuid() != 0:
        return "runs as root only: buildah and podman are used without user namespaces"
    needed = ["podman", "runc", "buildah", *([] if "CONTAINER_BASE_IMAGE" in os.environ else ["debootstrap"])]
    missing = [name for name in needed if shutil.which(name) is None]
    return f"{', '.join(missing)} missing: apt-get install {' '.join(missing)}" if missing else ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(item.path).parent == Path(__file__).parent]
    reason = _missing() if here else ""
    for item in here:
        item.add_marker(pytest.mark.timeout(1200))
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session")
def base_image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image with Python and pip: the one that is named, or a minimal Debian, kept for the next run."""
    if named := os.environ.get("CONTAINER_BASE_IMAGE"):
        return named
    if subprocess.run(["podman", "image", "exists", BASE]).returncode == 0:
        return BASE
    folder = tmp_path_factory.mktemp("base") / "root"
    include = "--include=python3,python3-pip,ca-certificates"
    subprocess.run(["debootstrap", "--variant=minbase", include, "bookworm", str(folder)], check=True)
    for cache in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(folder / cache)
    # As in the official Python images: the command is `python`, and pip may install into the system.
    (folder / "usr/bin/python").symlink_to("python3")
    for mark in folder.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        mark.unlink()
    archive = folder.with_suffix(".tar")
    subprocess.run(["tar", "-C", str(folder), "-cf", str(archive), "."], check=True)
    subprocess.run(["podman", "import", str(archive), BASE], check=True)
    shutil.rmtree(folder)
    archive.unlink()
    return BASE


@pytest.fixture(scope="session")
def image(base_image: str) -> str:
    """The cpu target of inference_code/Dockerfile."""
    index = os.environ.get("PIP_INDEX_URL", "")
    arguments = [f"BASE_IMAGE={base_image}", *([f"PIP_INDEX_URL={index}"] if index else [])]
    options = [part for argument in arguments for part in ("--build-arg", argument)]
    if Path(CERTIFICATES).exists():
        options += ["--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro"]
    # A chroot is enough to run pip in, and works where no other isolation does.
    command = ["buildah", "bud", "--layers", "--isolation", "chroot", "--target", "cpu", *options]
    folder = str(ROOT / "inference_code")
    subprocess.run([*command, "--tag", IMAGE, folder], check=True, stdout=sys.stderr)
    return IMAGE


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
        return number


@pytest.fixture
def container(image: str, port: int) -> Iterator[Container]:
    """A container of the image that is not started yet, and is gone after the test."""
    made = Container(image, port)
    yield made
    made.remove()
