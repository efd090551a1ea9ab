"""A bill of materials lists what is pinned or installed, so that a scanner knows it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools import bom, inside, lock, pins

STATUS = """Package: libc6
Status: install ok installed
Architecture: amd64
Source: glibc
Version: 2.41-12
Description: GNU C Library
 more of it

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr(bom, "FOLDER", tmp_path)
    monkeypatch.setattr(bom, "ROOT", tmp_path)
    assert bom.main([]) == 0
    return {path.name.removesuffix(".cdx.json"): json.loads(path.read_text()) for path in tmp_path.iterdir()}


def purls(document: dict[str, Any]) -> set[str]:
    return {each["purl"] for each in document["components"] if "purl" in each}


def test_there_is_one_for_each_set_that_is_installed_together(written: dict[str, Any]) -> None:
    assert set(written) == set(pins.SETS)
    for document in written.values():
        assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
        references = [each["bom-ref"] for each in document["components"]]
        assert len(references) == len(set(references))


def test_an_images_bill_has_its_base_and_all_it_installs(written: dict[str, Any]) -> None:
    found = purls(written["serving-cpu"])
    pinned = [pin for path in pins.SETS["serving-cpu"] for pin in pins.read(path)]
    assert {f"pkg:pypi/{pin.name}@{pin.version}" for pin in pinned} <= found
    assert len(found) == len(pinned) + 1
    assert any(lock.base_image().digest in each.replace("%3A", ":") for each in found)


def test_of_two_versions_the_one_for_the_images_python_is_listed(written: dict[str, Any]) -> None:
    networkx = [each for each in purls(written["training-cpu"]) if each.startswith("pkg:pypi/networkx@")]
    assert len(networkx) == 1
    later = next(
        pin
        for pin in pins.read(pins.TRAINING / "requirements.txt")
        if pin.name == "networkx" and ">=" in pin.marker
    )
    assert networkx == [f"pkg:pypi/networkx@{later.version}"]


def test_the_laptops_bill_has_the_cdk_cli_and_no_package_of_its_system(written: dict[str, Any]) -> None:
    found = purls(written["laptop"])
    assert any(each.startswith("pkg:npm/aws-cdk@2.") for each in found)
    assert any(each.startswith("pkg:generic/python@3.") for each in found)
    assert not any(each.startswith("pkg:deb/") for each in found)


def test_an_image_is_asked_by_its_own_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = tmp_path / "status"
    status.write_text(STATUS)
    found = [each for each in inside.paragraphs(str(status)) if each["Status"].endswith(" installed")]
    told = {
        "python": "3.12.15",
        "system": {"ID": "debian", "VERSION_ID": "13"},
        "packages": [{"name": "Starlette", "version": "1.10.0", "licence": "BSD-3-Clause"}],
        "debian": found,
    }
    engine = tmp_path / "engine"
    engine.write_text(f"#!/bin/sh\necho \"$@\" > {tmp_path}/asked\ncat <<'E'\n{json.dumps(told)}\nE\n")
    engine.chmod(0o755)
    monkeypatch.setenv("ENGINE", f"{engine} --runtime runc")
    document = bom.of_image("classifier:cpu")
    assert purls(document) == {
        "pkg:generic/python@3.12.15",
        "pkg:pypi/starlette@1.10.0",
        "pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=debian-13&upstream=glibc",
    }
    asked = (tmp_path / "asked").read_text()
    assert asked.startswith("--runtime runc run --rm --network none --read-only ")
    assert " --entrypoint python classifier:cpu -c " in asked


def test_an_image_that_cannot_be_asked_leaves_no_bill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bom, "FOLDER", tmp_path / "sbom")
    monkeypatch.setenv("ENGINE", "false")
    assert bom.main(["--image", "nothing"]) == 1
    assert not (tmp_path / "sbom").exists()
    assert "sbom: " in capsys.readouterr().err
