"""Every image can be installed from wheels alone, each of which has its hash in the lock file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from packaging import tags
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from tools import bom, lock, pins
from tools.pins import Pin

INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
SERVING_CPU = (*pins.SETS["serving-cpu"], pins.SERVING / "requirements-torch.txt")


def wheels(pin: Pin, supported: set[tags.Tag]) -> dict[str, str]:
    """The hashes of a version's files that an image can take, by their names."""
    asked = Request(f"{INDEX}/{pin.name}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urlopen(asked, timeout=60) as answer:
        files: list[dict[str, Any]] = json.load(answer)["files"]
    found = {}
    for file in files:
        if file["filename"].endswith(".whl"):
            _, version, _, fitting = parse_wheel_filename(file["filename"])
            if version == Version(pin.version) and fitting & supported:
                found[file["filename"]] = f"sha256:{file['hashes']['sha256']}"
    return found


@pytest.mark.parametrize(
    ("architecture", "glibc", "files"),
    [
        # OpenVINO's for arm64 wants glibc 2.35; the official Python images have Debian's 2.36 or newer.
        ("aarch64", 36, SERVING_CPU),
        ("x86_64", 28, SERVING_CPU),
        ("x86_64", 28, pins.SETS["serving-gpu"]),
        ("x86_64", 28, pins.SETS["training"]),
    ],
    ids=("cpu-arm64", "cpu", "gpu", "training"),
)
def test_every_package_has_a_wheel_and_the_lock_has_its_hash(
    architecture: str, glibc: int, files: tuple[Path, ...]
) -> None:
    base = lock.base_image()
    python = tuple(int(part) for part in base.tag.partition("-")[0].split("."))
    platforms = [f"manylinux_2_{minor}_{architecture}" for minor in range(glibc, 4, -1)]
    platforms += [f"manylinux{year}_{architecture}" for year in (2014, 2010, 1)]
    supported = {
        *tags.cpython_tags(python, platforms=platforms),
        *tags.compatible_tags(python, platforms=platforms),
    }
    wanted = [pin for path in files for pin in pins.read(path) if bom.fits(pin, base)]
    assert wanted
    for pin in wanted:
        found = wheels(pin, supported)
        assert found, f"{pin.requirement} has no wheel"
        assert {name for name, digest in found.items() if digest not in pin.hashes} == set()
