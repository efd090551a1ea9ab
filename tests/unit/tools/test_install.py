"""`make install` takes the files that were locked and no others."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tools import pins
from tools.pins import ROOT


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The installer's own files, with a .venv that was begun, so that no disk of 8 GB is asked for."""
    for path in (ROOT / "tools" / "install.sh", pins.UV):
        place = tmp_path / path.relative_to(ROOT)
        place.parent.mkdir(exist_ok=True)
        shutil.copy(path, place)
    (tmp_path / ".venv").mkdir()
    return tmp_path


def test_another_file_than_the_locked_one_is_not_installed_and_it_is_said(checkout: Path) -> None:
    locked = pins.read(pins.UV)[0]
    about = f"uv-{locked.version}.dist-info"
    wheels = checkout / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / f"uv-{locked.version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("uv.py", "print('not the locked one')\n")
        wheel.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: uv\nVersion: {locked.version}\n")
        wheel.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{about}/RECORD", "")
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels), "PIP_CONFIG_FILE": os.devnull}
    command = ["bash", "tools/install.sh", sys.executable]
    done = subprocess.run(command, cwd=checkout, env=os.environ | index, capture_output=True, text=True)
    assert done.returncode == 1
    assert "a hash differs" in done.stderr
    assert [*(checkout / ".venv").rglob(about)] == []
    assert not (checkout / ".venv" / "ready").exists()
