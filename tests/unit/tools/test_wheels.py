"""Every image can be installed from wheels alone, each of which has its hash in the lock file.

The one test here that asks servers: the package index that pip is set to, and PyTorch's. Where one cannot be
reached its part is skipped.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import unquote
from urllib.request import Request, urlopen

import pytest
from packaging import tags
from packaging.utils import parse_wheel_filename
from packaging.version import Version

from tools import bom, lock, pins
from tools.pins import Pin

INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
AT_ONCE = 8
_FILE = re.compile(r'href="[^"#]*?([^/"#]+\.whl)#sha256=([0-9a-f]{64})"')


@cache
def files(index: str, package: str) -> tuple[tuple[str, str], ...]:
    """The names and hashes of a package's wheels."""
    kinds = "application/vnd.pypi.simple.v1+json, text/html;q=0.1"
    asked = Request(f"{index}/{package}/", headers={"Accept": kinds})
    with urlopen(asked, timeout=30) as answer:
        return listed(answer.read().decode())


def listed(page: str) -> tuple[tuple[str, str], ...]:
    """The names and hashes of an index's page, in JSON or HTML."""
    if page.lstrip().startswith("{"):
        return tuple((each["filename"], each["hashes"]["sha256"]) for each in json.loads(page)["files"])
    return tuple((unquote(name), digest) for name, digest in _FILE.findall(page))


def wheels(index: str, pin: Pin, supported: set[tags.Tag]) -> dict[str, str]:
    """The hashes of a version's wheels that an image can take, by their names."""
    found = {}
    for name, digest in files(index, pin.name):
        if name.endswith(".whl"):
            _, version, _, fitting = parse_wheel_filename(name)
            if Version(version.public) == Version(pin.version) and fitting & supported:
                found[name] = f"sha256:{digest}"
    return found


def tags_of_the_image(architecture: str, glibc: int) -> set[tags.Tag]:
    python = tuple(int(part) for part in lock.base_image().tag.partition("-")[0].split("."))
    platforms = [f"manylinux_2_{minor}_{architecture}" for minor in range(glibc, 4, -1)]
    platforms += [f"manylinux{year}_{architecture}" for year in (2014, 2010, 1)]
    return {
        *tags.cpython_tags(python, platforms=platforms),
        *tags.compatible_tags(python, platforms=platforms),
    }


def problems(index: str, wanted: list[Pin], supported: set[tags.Tag]) -> Iterator[str]:
    """What a build would stumble over."""
    with ThreadPoolExecutor(AT_ONCE) as several:
        for pin, found in zip(
            wanted, several.map(lambda pin: wheels(index, pin, supported), wanted), strict=True
        ):
            if not found:
                yield f"{pin.requirement} has no wheel"
            for name, digest in found.items():
                if digest not in pin.hashes:
                    yield f"{name} has a hash that {pin.requirement} does not name"


def from_index(index: str, wanted: list[Pin], supported: set[tags.Tag]) -> list[str]:
    try:
        return list(problems(index, wanted, supported))
    except HTTPError:
        raise
    except OSError as error:
        pytest.skip(f"{index} cannot be reached: {error}")


# OpenVINO's for arm64 wants glibc 2.35; the official Python images have Debian's 2.36 or newer.
IMAGES = [
    *(("x86_64", 28, name) for name in pins.SETS if name != "laptop"),
    ("aarch64", 36, "serving-cpu"),
]


@pytest.mark.parametrize(("architecture", "glibc", "image"), IMAGES, ids=lambda each: str(each))
def test_every_package_of_an_image_has_a_wheel_and_the_lock_has_its_hash(
    architecture: str, glibc: int, image: str
) -> None:
    base = lock.base_image()
    paths = [path for path in pins.SETS[image] if path not in pins.TORCH_CPU]
    wanted = [pin for path in paths for pin in pins.read(path) if bom.fits(pin, base)]
    assert wanted
    assert from_index(INDEX, wanted, tags_of_the_image(architecture, glibc)) == []


@pytest.mark.parametrize(("architecture", "path"), [("x86_64", each) for each in pins.TORCH_CPU])
def test_pytorch_without_cuda_has_a_wheel_in_its_own_index(architecture: str, path: Path) -> None:
    wanted = pins.read(path)
    assert from_index(lock.torch_index(), wanted, tags_of_the_image(architecture, 28)) == []


def test_a_package_that_would_have_to_be_built_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As pyinstrument-cext was, which has no wheel for the image's Python: no build could succeed."""
    names = ("pyinstrument_cext-0.2.4-cp38-cp38-manylinux2010_x86_64.whl", "pyinstrument_cext-0.2.4.tar.gz")
    monkeypatch.setitem(globals(), "files", lambda *_: tuple((name, "a" * 64) for name in names))
    pin = Pin("pyinstrument-cext", "0.2.4", "", ("sha256:" + "a" * 64,))
    said = list(problems(INDEX, [pin], tags_of_the_image("x86_64", 28)))
    assert said == ["pyinstrument-cext==0.2.4 has no wheel"]


def test_a_file_that_the_lock_does_not_know_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    page = f'<a href="/whl/torch-2.12.1%2Bcpu-cp312-cp312-manylinux_2_28_x86_64.whl#sha256={"b" * 64}">it</a>'
    monkeypatch.setitem(globals(), "files", lambda *_: listed(page))
    pin = Pin("torch", "2.12.1", "", ("sha256:" + "a" * 64,))
    (said,) = problems(INDEX, [pin], tags_of_the_image("x86_64", 28))
    assert said.startswith("torch-2.12.1+cpu-cp312-cp312-manylinux_2_28_x86_64.whl has a hash that")
