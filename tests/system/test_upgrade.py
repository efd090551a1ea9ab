"""A deployment of the version before becomes one of today's: pictures, model, address and key stay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.ports import free_port
from tests.system.conftest import LOCAL_SETTINGS, REPOSITORY, Deployment

pytestmark = [pytest.mark.timeout(1800), pytest.mark.long]

NAME = "kept"
KEPT = ("api_url", "api_key", "page_url", "data_bucket", "artifacts_bucket")


@dataclass
class Checkout(Deployment):
    """A deployment by the command of some checkout."""

    root: Path = REPOSITORY

    def cli(
        self, *arguments: str, check: bool = True, timeout: float = 1200
    ) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(str(self.root / each) for each in (".", "lambda", "local_aws/src"))
        done = subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            cwd=self.root,
            env=self.environment | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, f"{arguments}:\n{done.stdout}\n{done.stderr}"
        return done

    def told(self, *arguments: str) -> Any:
        """What a command answers to programs."""
        return json.loads(self.cli(*arguments, "--json").stdout)["data"]


def git(*arguments: str) -> str:
    """What git says; nothing where it cannot."""
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def version_before() -> str:
    """The newest version before this commit; where there is none yet, what the change log came after."""
    if tag := git("describe", "--tags", "--match", "v*", "--abbrev=0", "HEAD^"):
        return tag
    added = git("log", "--diff-filter=A", "--format=%H", "--", "CHANGELOG.md").split()
    return git("rev-parse", "--verify", "--quiet", f"{added[-1]}^") if added else ""


@pytest.fixture
def before(tmp_path: Path) -> Path:
    """The version before, with the tools that are installed for this one."""
    version = version_before()
    if not version:
        pytest.skip("this clone has no version before this: git fetch --unshallow --tags")
    archive = subprocess.run(["git", "archive", version], cwd=REPOSITORY, capture_output=True, check=True)
    root = tmp_path / "before"
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(root, filter="data")
    (root / ".local").mkdir()
    (root / ".local" / "cdk").symlink_to((REPOSITORY / ".local" / "cdk").resolve())
    return root


@pytest.fixture
def versions(before: Path, tmp_path: Path) -> Iterator[tuple[Checkout, Checkout]]:
    """One deployment by the command of the version before, and by today's."""
    home = tmp_path / "home"
    home.mkdir()
    known = {"CLASSIFIER_TARGET": "local", "CLASSIFIER_HOME": str(home), "CLASSIFIER_PORT": str(free_port())}
    old, new = (Checkout("local", home, {**os.environ, **known}, root=root) for root in (before, REPOSITORY))
    for each in (old, new):
        each.configure(LOCAL_SETTINGS)
    try:
        yield old, new
    finally:
        new.cli("destroy", "--yes", check=False)
        new.cli("down", "--wipe", check=False)


def test_pictures_model_address_and_key_survive_an_upgrade(
    versions: tuple[Checkout, Checkout], tmp_path: Path
) -> None:
    old, new = versions
    pictures = tmp_path / NAME
    old.cli("demo-data", str(pictures))
    old.cli("up", "--yes")
    old.cli("upload", str(pictures), "--yes")
    old.cli(
        "train", "--recipe", "digits", "--dataset", NAME, "--set", "training.epochs=3", "--yes", "--watch"
    )
    picture = str(next((pictures / "test" / "3").iterdir()))
    outputs, data_set, (answer,) = (
        old.told("outputs"),
        old.told("dataset", NAME),
        old.told("classify", picture),
    )

    new.cli("up", "--yes")

    assert {key: new.told("outputs")[key] for key in KEPT} == {key: outputs[key] for key in KEPT}
    assert new.told("dataset", NAME) == data_set
    (again,) = new.told("classify", picture)
    assert again["model"] == answer["model"]
    assert again["predicted_class"] == answer["predicted_class"]
    assert new.told("models")[0]["version"] == 1
    new.cli("upload", str(pictures), "--yes")
    assert new.told("dataset", NAME) == data_set, "an upload of the same pictures makes no version"
