"""The package, the change log and the tags say one version, and the package says its licence."""

from __future__ import annotations

import re
import subprocess
import tomllib

import pytest

from tools.pins import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CHANGES = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"^## \[(.+?)\](?: - (\S+))?$", CHANGES, re.MULTILINE)


def test_the_newest_version_of_the_change_log_is_the_packages() -> None:
    (first, undated), *versions = HEADINGS
    assert (first, undated) == ("Unreleased", "")
    assert versions[0][0] == PROJECT["version"]


def test_versions_have_dates_and_go_backwards() -> None:
    versions = [(tuple(map(int, number.split("."))), date) for number, date in HEADINGS[1:]]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", date) for _, date in versions)
    assert versions == sorted(versions, reverse=True)


def test_a_tag_of_this_commit_is_its_version() -> None:
    done = subprocess.run(
        ["git", "tag", "--points-at", "HEAD", "v*"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    tags = done.stdout.split()
    if not tags:
        pytest.skip("this commit is no version")
    assert tags == [f"v{PROJECT['version']}"]


def test_the_licence_is_apaches_everywhere() -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["license"] == "Apache-2.0"
    assert PROJECT["license-files"] == ["LICENSE"]
    local_aws = tomllib.loads((ROOT / "local_aws" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert local_aws["license"] == PROJECT["license"]
