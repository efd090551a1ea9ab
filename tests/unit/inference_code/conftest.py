"""What the serving tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.inference_code.artifacts import write_artifact


@pytest.fixture(scope="session")
def artifact_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound ResNet-18 artifact of three classes and 32-pixel pictures; read only."""
    return write_artifact(tmp_path_factory.mktemp("artifact") / "model")
