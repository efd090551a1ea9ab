"""Nothing is installed that is not pinned by the hash of its file."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import audit, lock, pins, registry
from tools.pins import ROOT

FILES = sorted({*(each for files in pins.SETS.values() for each in files), *ROOT.glob("*/requirements*.txt")})
DERIVED = [each.path for each in lock.DERIVED]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def groups() -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    return found


def requirements(group: str) -> list[Requirement]:
    """What a group of pyproject.toml asks for, with the groups it includes."""
    found = []
    for each in groups()[group]:
        found += requirements(each["include-group"]) if isinstance(each, dict) else [Requirement(each)]
    return found


def commands(path: Path) -> list[str]:
    """The lines of a script or a Dockerfile, continued ones joined."""
    return path.read_text().replace("\\\n", " ").splitlines()


def test_every_requirements_file_is_known_here() -> None:
    assert {*FILES} == {pins.LAPTOP, pins.AUDIT, pins.CHECKOV, pins.DOCS, *pins.TORCH_CPU, *DERIVED}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_every_requirement_is_one_version_with_the_hashes_of_its_files(path: Path) -> None:
    found = pins.read(path)
    assert found
    assert [pin.requirement for pin in found if not pin.hashes] == []


@pytest.mark.parametrize("path", [*FILES, lock.CDK / "package-lock.json"], ids=name)
def test_no_lock_file_names_an_address(path: Path) -> None:
    assert [line for line in path.read_text().splitlines() if "://" in line or "index-url" in line] == []


@pytest.mark.parametrize("path", DERIVED, ids=name)
def test_what_is_derived_has_the_versions_and_the_hashes_of_the_laptop(path: Path) -> None:
    locked = {(pin.name, pin.version): pin.hashes for pin in pins.read(pins.LAPTOP)}
    assert {pin.requirement: pin.hashes for pin in pins.read(path)} == {
        pin.requirement: locked.get((pin.name, pin.version)) for pin in pins.read(path)
    }


@pytest.mark.parametrize("each", lock.DERIVED, ids=lambda each: name(each.path))
def test_a_file_has_all_that_its_group_asks_for(each: lock.Derived) -> None:
    files = (each.path, *each.besides, *(other.path for other in lock.DERIVED if other.group == each.group))
    installed = {pin.name: pin.version for path in files for pin in pins.read(path)}
    for asked in requirements(each.group):
        assert asked.specifier.contains(installed[canonicalize_name(asked.name)]), asked


def test_the_laptop_has_all_that_pyproject_asks_for() -> None:
    locked = {pin.name: pin.version for pin in pins.read(pins.LAPTOP)}
    files = (ROOT / "pyproject.toml", ROOT / "local_aws" / "pyproject.toml")
    needed = [each for file in files for each in tomllib.loads(file.read_text())["project"]["dependencies"]]
    asked = [
        *map(Requirement, needed),
        *(each for group in ("container", "local", "dev") for each in requirements(group)),
    ]
    asked = [each for each in asked if each.name != "local-aws"]  # it is in this repository
    for each in asked:
        assert each.specifier.contains(locked[canonicalize_name(each.name)]), each


def test_the_cdk_cli_is_locked_by_its_hash_and_without_an_address() -> None:
    asked = json.loads((lock.CDK / "package.json").read_text())["dependencies"]
    packages = json.loads((lock.CDK / "package-lock.json").read_text())["packages"]
    installed = {path.removeprefix("node_modules/"): each for path, each in packages.items() if path}
    assert {each: installed[each]["version"] for each in asked} == asked
    for each in installed.values():
        assert each["integrity"].startswith("sha512-")
        assert "resolved" not in each


def test_the_images_are_built_on_one_base_that_is_named_by_its_digest() -> None:
    named = {
        line for path in lock.DOCKERFILES for line in commands(path) if line.startswith("ARG BASE_IMAGE=")
    }
    assert len(named) == 1
    assert registry.Reference.parse(named.pop().partition("=")[2]).digest
    bases = [
        line.split()[1] for path in lock.DOCKERFILES for line in commands(path) if line.startswith("FROM ")
    ]
    assert set(bases) == {"${BASE_IMAGE}", "program"}


@pytest.mark.parametrize("path", [*lock.DOCKERFILES, ROOT / "tools" / "install.sh"], ids=name)
def test_whatever_is_installed_is_checked_by_its_hash_and_never_built(path: Path) -> None:
    installs = [
        part
        for line in commands(path)
        for part in re.split(r"&&|\|\||;", line)
        if re.search(r"\bpip (install|sync)\b", part) and not part.lstrip().startswith("#")
    ]
    ours = [part for part in installs if "--editable ." in part]
    assert installs
    for part in installs:
        if part in ours:
            assert "--no-deps --no-build-isolation" in part  # so nothing is fetched
        else:
            assert "--require-hashes" in part, part
            assert "--only-binary :all:" in part or "--no-build" in part, part


def test_the_installer_takes_the_uv_that_it_installs() -> None:
    assert [pin.name for pin in pins.read(pins.UV)] == ["uv"]
    assert set(pins.read(pins.UV)) <= set(pins.read(pins.LAPTOP))


def test_pytorch_without_cuda_is_the_same_version_with_other_files() -> None:
    (ours,), (usual,) = (
        {pin for path in paths for pin in pins.read(path) if pin.name == "torch"}
        for paths in (pins.TORCH_CPU, (pins.LAPTOP,))
    )
    assert ours.version == usual.version
    assert len(ours.hashes) == 2  # x86-64 and arm64
    assert not set(ours.hashes) & set(usual.hashes)


def test_an_accepted_advisory_is_of_a_package_that_is_pinned_and_says_why() -> None:
    pinned = {pin.name for path in FILES for pin in pins.read(path)}
    for advisory in tomllib.loads(audit.ACCEPTED.read_text())["advisory"]:
        assert advisory["package"] in pinned
        assert re.fullmatch(r"(CVE|GHSA|PYSEC)-\S+", advisory["id"])
        assert len(advisory["why"]) > 40


@pytest.mark.parametrize(
    "line", ["pillow", "pillow>=12", "-r other.txt", "--index-url x", "x @ https://example.com/x.whl"]
)
def test_a_line_that_pins_nothing_is_told_with_its_place(tmp_path: Path, line: str) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(f"# a comment\n{line}\n")
    with pytest.raises(pins.BadPin, match=r"requirements\.txt, line 2: "):
        pins.read(path)


def test_a_pin_is_written_as_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    hashes = tuple("sha256:" + each * 64 for each in "ab")
    both = [pins.Pin("networkx", "3.7", marker, hashes) for marker in ("", "python_full_version >= '3.12'")]
    path.write_text("# made\n" + "".join(f"{pin}\n    # via torch\n" for pin in both))
    assert pins.read(path) == both
