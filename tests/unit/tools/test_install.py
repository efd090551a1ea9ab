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


def test_a_python_that_is_too_old_is_named_before_anything_else(checkout: Path) -> None:
    old = checkout / "python"
    old.write_text(
        "#!/bin/sh\nexec "
        + sys.executable
        + " -c \"import sys; sys.version_info = (3, 10, 9)\nexec('$2')\"\n"
    )
    old.chmod(0o755)
    done = subprocess.run(
        ["bash", "tools/install.sh", str(old)], cwd=checkout, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "is not a Python 3.11, 3.12 or 3.13" in done.stderr
    assert sorted(path.name for path in checkout.iterdir()) == [".venv", "python", "tools"]


def test_of_two_installs_at_once_the_second_waits_and_does_nothing(checkout: Path) -> None:
    for name in ("requirements.txt", "pyproject.toml"):
        (checkout / name).touch()
    shutil.copytree(ROOT / "tools" / "cdk", checkout / "tools" / "cdk", dirs_exist_ok=True)
    programs = {
        ".venv/bin/uv": f"echo uv >>{checkout}/log; sleep 1",
        # It compiles what jobs import, and says where it finds its Node.
        ".venv/bin/python": f'[ "$2" = "${{2#*torch}}" ] || echo imports >>{checkout}/log; echo {checkout}',
        "bin/node": "exit 0",
    }
    for path, does in programs.items():
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).write_text(f"#!/bin/sh\n{does}\n")
        (checkout / path).chmod(0o755)
    command = ["bash", "tools/install.sh", sys.executable]
    first = subprocess.Popen(command, cwd=checkout, stdout=subprocess.PIPE, text=True)
    assert first.stdout is not None
    assert first.stdout.readline().startswith("Installing")
    second = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=60)
    assert first.wait(60) == second.returncode == 0, second.stderr
    assert "Another install is at work" in second.stdout
    assert (checkout / "log").read_text().split() == ["uv", "imports", "uv"]
    assert (checkout / ".local").stat().st_mode & 0o077 == 0
