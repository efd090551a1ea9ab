"""`contract` stands below all: its modules bring the standard library and each other, nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(path.stem for path in (ROOT / "contract").glob("*.py"))
PROGRAM = """
import sys
import contract.{}
print(*{{name.partition(".")[0] for name in sys.modules}} - set(sys.stdlib_module_names))
"""


@pytest.mark.parametrize("module", MODULES)
def test_a_module_brings_the_standard_library_and_the_contract_only(module: str) -> None:
    """Each function and each trial pays for what it imports; only the folders `pictures` and `answers` bring
    more.
    """
    program = [sys.executable, "-S", "-c", PROGRAM.format(module)]
    done = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"__main__", "contract"}
